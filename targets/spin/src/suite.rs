//! The port suites over HTTP, in builds with the feature `suite`; and cells, for tests that kill the host between commands.
//!
//! | request | answer |
//! |---|---|
//! | `/edgeway-suite...` | as `edgeway_core::ports::suite` says |
//! | `POST /edgeway-cell/<step>/<cell>`, a command | 200, the reply; 500, what was wrong |

use edgeway_core::Body;
use edgeway_core::cell;
use edgeway_core::exchange::Inbound;
use edgeway_core::ports::suite::{self, PRESENT_SECRET, Subject};
use http::{Response, StatusCode};

use crate::app;

/// Longest command, in bytes.
const LONGEST: usize = 4096;

/// The answer to a request of a test's; any other request comes back.
pub(crate) async fn answer(inbound: Inbound) -> Result<Response<Body>, Inbound> {
    let path = inbound.request.uri().path().to_owned();
    if let Some((step, name)) = path.strip_prefix("/edgeway-cell/").and_then(|rest| rest.split_once('/')) {
        let (status, body) = match command(step, name, inbound.request.into_body()).await {
            Ok(reply) => (StatusCode::OK, reply),
            Err(wrong) => (StatusCode::INTERNAL_SERVER_ERROR, Body::from(wrong)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        return Ok(response);
    }
    if !path.starts_with("/edgeway-suite") {
        return Err(inbound);
    }
    let app::Platform { ports, versioned } = app::platform().await;
    let (name, value) = PRESENT_SECRET;
    let subject = Subject { ports, versioned: Some(versioned), secret: Some((name.to_owned(), value.to_owned())) };
    match suite::answer(inbound.request.method(), &path, &subject) {
        Some(answer) => Ok(answer.await),
        None => Err(inbound),
    }
}

async fn command(step: &str, name: &str, body: Body) -> Result<Body, String> {
    let step = cell::find_step(step).ok_or("there is no such step")?;
    let command = body.collect(LONGEST).await.map_err(|error| format!("{error:?}"))?;
    let cells = app::platform().await.ports.cells.ok_or("there are no cells")?;
    cells.command(name, step, command).await.map(Body::from).map_err(|error| format!("{error:?}"))
}
