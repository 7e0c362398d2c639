//! The port suites over HTTP, in builds with the feature `suite`.

use edgeway_core::Body;
use edgeway_core::exchange::Inbound;
use edgeway_core::ports::suite::{self, PRESENT_SECRET, Subject};
use http::Response;

use crate::app;

/// The answer to a request of the suite's; `None` to any other.
pub(crate) async fn answer(inbound: &Inbound) -> Option<Response<Body>> {
    let app::Platform { ports, versioned } = app::platform().await;
    let (name, value) = PRESENT_SECRET;
    let subject = Subject { ports, versioned: Some(versioned), secret: Some((name.to_owned(), value.to_owned())) };
    match suite::answer(inbound.request.method(), inbound.request.uri().path(), &subject) {
        Some(answer) => Some(answer.await),
        None => None,
    }
}
