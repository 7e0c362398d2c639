//! The Runtime API: the platform's invocations, one at a time, and where their answers go. Source: AWS Lambda developer guide,
//! "Using the Lambda runtime API" and "Response streaming with custom runtimes".
//!
//! Spoken over the native server's client, which sends what it has at once (`docs/decisions/0011-the-runtime-api.md`).
//!
//! | what happens | then |
//! |---|---|
//! | an answer is delivered | the next invocation is asked for |
//! | the platform breaks an answer off | the request is cut and settled, and the next invocation is asked for |
//! | an event that cannot be read | the platform is told so |
//! | the Runtime API is gone | the process ends |
//!
//! Invariant: nothing is asked for while a request is unsettled, because from then on the sandbox may be frozen.

use std::time::Duration;

use bytes::Bytes;
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{HttpClient, Network, Outbound, Timeouts};
use edgeway_native::ports::http::{Client, Connector};
use http::{HeaderMap, Request, Response, header};
use serde_json::{Value, json};

use crate::reply::Reply;

/// The variable with the API's host and port.
const VARIABLE: &str = "AWS_LAMBDA_RUNTIME_API";
/// An invocation comes when it comes, and an answer takes as long as it takes: the platform's own limits hold.
const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(10), first_byte: Duration::MAX, idle: Duration::MAX, total: Duration::MAX };
/// Largest event: 6 MB of a body, as base64, in JSON.
const MOST_EVENT: usize = 32 << 20;
/// Protects an answer from reaching another invocation; given back where it was given.
const INVOCATION: &str = "lambda-runtime-invocation-id";

/// The platform's side of the function.
pub(crate) struct Runtime {
    client: Client,
    base: String,
}

/// One invocation.
pub(crate) struct Invocation {
    id: String,
    guard: Option<String>,
    /// When the platform ends it, in milliseconds since 1970.
    pub(crate) deadline: u64,
    /// The event, JSON.
    pub(crate) event: Bytes,
}

impl Runtime {
    /// The API that the environment names.
    pub(crate) fn from_environment() -> std::result::Result<Self, String> {
        let address = std::env::var(VARIABLE).ok().filter(|address| !address.is_empty());
        let address =
            address.ok_or(format!("{VARIABLE} is not set; only Lambda, or something that plays it, can start this program"))?;
        Ok(Self { client: Client::new(Connector::new(), 1), base: format!("http://{address}/2018-06-01/runtime") })
    }

    /// Waits for an invocation.
    pub(crate) async fn next(&self) -> Result<Invocation> {
        let response = self.send(Request::get(format!("{}/invocation/next", self.base)), Body::Empty).await?;
        let (head, body) = response.into_parts();
        let event = body.collect(MOST_EVENT).await?;
        let text = |name: &str| text(&head.headers, name);
        match text("lambda-runtime-aws-request-id") {
            Some(id) if head.status.is_success() => Ok(Invocation {
                id,
                guard: text(INVOCATION),
                deadline: text("lambda-runtime-deadline-ms").and_then(|at| at.parse().ok()).unwrap_or(u64::MAX),
                event,
            }),
            _ => Err(broken(format_args!("/next: {}", head.status))),
        }
    }

    /// Delivers an answer to its end.
    pub(crate) async fn answer(&self, invocation: &Invocation, reply: Reply) -> Result<()> {
        let request = Request::post(format!("{}/invocation/{}/response", self.base, invocation.id));
        match reply {
            Reply::Whole(object) => self.post(invocation, request, Body::from(object.to_string())).await,
            Reply::Stream(stream) => {
                let request = request
                    .header("lambda-runtime-function-response-mode", "streaming")
                    .header(header::CONTENT_TYPE, "application/vnd.awslambda.http-integration-response");
                self.post(invocation, request, Body::stream(stream)).await
            }
        }
    }

    /// Says that there is no answer.
    pub(crate) async fn fail(&self, invocation: &Invocation, kind: &str, why: &str) -> Result<()> {
        let request = Request::post(format!("{}/invocation/{}/error", self.base, invocation.id));
        let request = request.header("lambda-runtime-function-error-type", kind);
        let said: Value = json!({"errorType": kind, "errorMessage": why, "stackTrace": []});
        self.post(invocation, request, Body::from(said.to_string())).await
    }

    async fn post(&self, invocation: &Invocation, mut request: http::request::Builder, body: Body) -> Result<()> {
        if let Some(guard) = &invocation.guard {
            request = request.header(INVOCATION, guard);
        }
        let response = self.send(request, body).await?;
        let status = response.status();
        // Read, so that the connection can be used again.
        response.into_body().collect(MOST_EVENT).await?;
        if status.is_success() { Ok(()) } else { Err(broken(format_args!("the platform refuses an answer: {status}"))) }
    }

    async fn send(&self, request: http::request::Builder, body: Body) -> Result<Response<Body>> {
        let request =
            request.header(header::USER_AGENT, concat!("edgeway/", env!("CARGO_PKG_VERSION"))).body(body).map_err(broken)?;
        self.client.send(Outbound { request, timeouts: TIMEOUTS, network: Network::Any }).await
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn broken(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, "Lambda's Runtime API is not as it should be.").source(why)
}
