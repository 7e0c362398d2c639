//! One request: into core, out of core, and its settlement.
//!
//! Invariant: a settlement runs to its end exactly once. It is spawned before the response is waited for, and Spin
//! keeps an instance until its spawned work is done, so a client that goes away takes nothing with it.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::exchange::Inbound;
use edgeway_core::{Body, Gateway, Handled, body::BodyStream};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use http::{HeaderMap, Response, StatusCode, Uri};
use spin_sdk::wasip3::http::types::{self, ErrorCode, Method};
use spin_sdk::wasip3::wit_bindgen::{FutureWriter, StreamResult, StreamWriter};
use spin_sdk::wasip3::{spawn, wit_future, wit_stream};
use std::sync::Arc;

use crate::ports::clock;
use crate::wire::{self, End, Watch};

/// How often a stream without news is tried, to see whether its client is still there.
const PULSE: Duration = Duration::from_secs(1);

/// A request as core takes it.
pub(crate) fn inbound(request: types::Request) -> Result<Inbound, ErrorCode> {
    let method = method(request.get_method()).ok_or(ErrorCode::HttpRequestMethodInvalid)?;
    let target = request.get_path_with_query().unwrap_or_default();
    let uri =
        Uri::try_from(if target.is_empty() { "/".to_owned() } else { target }).map_err(|_| ErrorCode::HttpRequestUriInvalid)?;
    let mut headers = wire::headers(&request.get_headers());
    let peer = peer(&headers);
    remove_what_spin_added(&mut headers);
    let (result, taken) = wit_future::new(|| Ok(()));
    let (stream, end) = types::Request::consume_body(request, taken);
    drop(result);
    let mut inbound = http::Request::new(wire::body(stream, end, FromCaller));
    *inbound.method_mut() = method;
    *inbound.uri_mut() = uri;
    *inbound.headers_mut() = headers;
    Ok(Inbound { request: inbound, peer })
}

/// Handles a request.
pub(crate) async fn answer(gateway: &Arc<Gateway>, inbound: Inbound) -> Result<types::Response, ErrorCode> {
    let Handled { response, after } = gateway.handle(inbound);
    spawn(after);
    outbound(response.await)
}

/// A response as Spin takes it. A body that streams is pumped by work of its own.
pub(crate) fn outbound(response: Response<Body>) -> Result<types::Response, ErrorCode> {
    let (parts, body) = response.into_parts();
    let length = match &body {
        Body::Empty if matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => None,
        Body::Empty => Some(0),
        Body::Full(bytes) => Some(bytes.len()),
        Body::Stream(_) => None,
    };
    let fields = wire::fields(&parts.headers, length).map_err(|error| ErrorCode::InternalError(Some(error)))?;
    let (end, ended) = wit_future::new::<End>(|| Err(ErrorCode::InternalError(None)));
    let (contents, pump) = match body {
        Body::Empty => (None, None),
        body => {
            let (writer, reader) = wit_stream::new();
            (Some(reader), Some((body, writer)))
        }
    };
    // Whether the response arrived is not told reliably: see `pump`.
    let (response, _transmitted) = types::Response::new(fields, contents, ended);
    response.set_status_code(parts.status.as_u16()).map_err(|()| ErrorCode::InternalError(Some("status".into())))?;
    spawn(async move {
        let sent = match pump {
            None => Ok(()),
            Some((Body::Full(bytes), mut writer)) => {
                writer.write_all(bytes.into()).await;
                Ok(())
            }
            Some((Body::Stream(stream), writer)) => pump_stream(stream, writer).await,
            Some((Body::Empty, _)) => Ok(()),
        };
        finish(end, sent).await;
    });
    Ok(response)
}

/// Says how the body ended. An error makes Spin break the connection off, so a cut body never looks whole.
async fn finish(end: FutureWriter<End>, sent: Result<()>) {
    let end_of_body = sent.map(|()| None).map_err(|error| ErrorCode::InternalError(Some(error.to_string())));
    let _ = end.write(end_of_body).await;
}

/// Sends a stream's pieces as they come. Ends when the client goes away: Spin tells that only to who writes, so a
/// stream without news writes nothing once a second.
async fn pump_stream(mut stream: BodyStream, mut writer: StreamWriter<u8>) -> Result<()> {
    let mut pulse = Box::pin(clock::wait(PULSE));
    loop {
        match select(stream.next(), &mut pulse).await {
            Either::Left((None, _)) => return Ok(()),
            Either::Left((Some(piece), _)) => {
                if !writer.write_all(Vec::from(piece?)).await.is_empty() {
                    return Ok(());
                }
            }
            Either::Right(((), _)) => {
                pulse.set(clock::wait(PULSE));
                if writer.write(Vec::new()).await.0 == StreamResult::Dropped {
                    return Ok(());
                }
            }
        }
    }
}

/// A caller's body: as slow as the caller is.
struct FromCaller;

impl Watch for FromCaller {
    async fn bound<F: Future>(&mut self, wait: F) -> Result<F::Output> {
        Ok(wait.await)
    }

    fn pass(&mut self, _: &Bytes) -> Result<()> {
        Ok(())
    }

    fn over(&mut self) -> Result<()> {
        Ok(())
    }

    fn broken(&mut self, code: &ErrorCode) -> Error {
        Error::new(ErrorKind::InvalidRequest, "The request's body is malformed, or ended before its end.").source(code)
    }
}

fn method(method: Method) -> Option<http::Method> {
    Some(match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Delete => http::Method::DELETE,
        Method::Connect => http::Method::CONNECT,
        Method::Options => http::Method::OPTIONS,
        Method::Trace => http::Method::TRACE,
        Method::Patch => http::Method::PATCH,
        Method::Other(name) => http::Method::from_bytes(name.as_bytes()).ok()?,
    })
}

/// Who calls: Spin puts the connection's other end into a field of its own, over whatever a client wrote there.
fn peer(headers: &HeaderMap) -> Option<IpAddr> {
    let address = headers.get("spin-client-addr")?.to_str().ok()?;
    address.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| address.parse()).ok()
}

fn remove_what_spin_added(headers: &mut HeaderMap) {
    let added: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("spin-")).cloned().collect();
    for name in added {
        headers.remove(name);
    }
}
