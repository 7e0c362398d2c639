//! The port suites, answered inside the runtime. Only in test builds.

use edgeway_core::Body;
use edgeway_core::ports::suite::{self, PRESENT_SECRET, Subject};
use http::Request;
use worker::wasm_bindgen::JsValue;
use worker::worker_sys::web_sys;

use crate::deployment::Deployment;
use crate::live::Live;
use crate::outbound;

/// Whether a request is the suite's.
pub(crate) fn knows(request: &Request<Body>) -> bool {
    request.uri().path().starts_with("/edgeway-suite")
}

/// Its answer.
pub(crate) async fn answer(request: &Request<Body>, deployment: &Deployment) -> Result<web_sys::Response, JsValue> {
    let (name, value) = PRESENT_SECRET;
    let secret = Some((name.to_owned(), value.to_owned()));
    let subject = Subject { ports: deployment.ports.clone(), versioned: None, secret };
    let response = match suite::answer(request.method(), request.uri().path(), &subject) {
        Some(response) => response.await,
        None => http::Response::default(),
    };
    outbound::write(response, &Live::over())
}
