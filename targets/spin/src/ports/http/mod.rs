//! Outbound HTTP over `wasi:http`.
//!
//! | what | who sees to it |
//! |---|---|
//! | which hosts may be called | Spin, by `allowed_outbound_hosts` |
//! | which addresses a name may lead to | Spin, by its operator's `block_networks`; addresses that are written out are checked here |
//! | connections, TLS, the times to connect, to the first byte and between pieces | Spin, by what it is told here |
//! | the total time, the declared length, cancelling | here |
//!
//! Invariant: one `send`, one request on the wire; a body that ends before its end is an error.

mod budget;
mod refusal;

use async_trait::async_trait;
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{HttpClient, Outbound, Timeouts};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use http::uri::Scheme as UriScheme;
use http::{Method, Response, StatusCode, header, request::Parts};
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{self, ErrorCode, RequestOptions, Scheme};
use spin_sdk::wasip3::wit_bindgen::{FutureWriter, StreamWriter};
use spin_sdk::wasip3::{wit_future, wit_stream};
use std::future::Future;
use std::time::Duration;

use crate::local::Local;
use crate::wire::{self, End, Watch};

use budget::Budget;

/// The HTTP client.
pub(crate) struct Client;

#[async_trait]
impl HttpClient for Client {
    async fn send(&self, outbound: Outbound) -> Result<Response<Body>> {
        Local::future(send(outbound)).await
    }
}

async fn send(outbound: Outbound) -> Result<Response<Body>> {
    let Outbound { request, timeouts, network } = outbound;
    refusal::check(request.uri(), network)?;
    let (parts, body) = request.into_parts();
    let mut budget = Budget::start(timeouts);
    let (request, sending) = outgoing(&parts, body, timeouts)?;
    let mut sending = Some(Box::pin(sending));
    let answered = budget.bound(race(client::send(request), &mut sending)).await?;
    let response = answered.map_err(|code| refusal::of(&code, &parts.uri, timeouts))?;

    let status =
        StatusCode::from_u16(response.get_status_code()).map_err(|_| refusal::invalid("the answer has no valid status"))?;
    let headers = wire::headers(&response.get_headers());
    let bodiless = parts.method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let declared = if bodiless { None } else { declared(&headers)? };
    let (result, taken) = wit_future::new(|| Ok(()));
    let (stream, end) = types::Response::consume_body(response, taken);
    drop(result);
    let watch = FromProvider { budget, timeouts, sending, declared, seen: 0 };
    let mut answer = Response::new(if bodiless { Body::Empty } else { wire::body(stream, end, watch) });
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// What is still to be sent of a request.
type Sending<F> = Option<std::pin::Pin<Box<F>>>;

/// Waits for `wanted` while the request's body goes out.
async fn race<T, F: Future<Output = ()>>(wanted: impl Future<Output = T>, sending: &mut Sending<F>) -> T {
    let wanted = std::pin::pin!(wanted);
    let Some(body) = sending else { return wanted.await };
    match select(wanted, body.as_mut()).await {
        Either::Left((got, _)) => got,
        Either::Right(((), wanted)) => {
            *sending = None;
            wanted.await
        }
    }
}

/// The request, and the work that sends its body.
fn outgoing(parts: &Parts, body: Body, timeouts: Timeouts) -> Result<(types::Request, impl Future<Output = ()> + use<>)> {
    let bad = |what: &str| {
        Error::new(ErrorKind::Misconfigured, "The provider's address is not one that the gateway can call.")
            .source(format_args!("outbound request: {what}"))
    };
    let length = match &body {
        Body::Empty if matches!(parts.method, Method::GET | Method::HEAD) => None,
        Body::Empty => Some(0),
        Body::Full(bytes) => Some(bytes.len()),
        Body::Stream(_) => None,
    };
    let fields = wire::fields(&parts.headers, length).map_err(|error| bad(&format!("its fields are refused ({error})")))?;
    let (end, ended) = wit_future::new::<End>(|| Err(ErrorCode::InternalError(None)));
    let (contents, writer) = match body {
        Body::Empty => (None, None),
        body => {
            let (writer, reader) = wit_stream::new();
            (Some(reader), Some((body, writer)))
        }
    };
    let (request, _transmitted) = types::Request::new(fields, contents, ended, Some(options(timeouts)));
    let scheme = if parts.uri.scheme() == Some(&UriScheme::HTTPS) { Scheme::Https } else { Scheme::Http };
    request.set_method(&method(&parts.method)).map_err(|()| bad("its method is refused"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| bad("its scheme is refused"))?;
    request.set_authority(parts.uri.authority().map(|authority| authority.as_str())).map_err(|()| bad("its host is refused"))?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    request.set_path_with_query(Some(target)).map_err(|()| bad("its path is refused"))?;
    Ok((request, write(writer, end)))
}

async fn write(body: Option<(Body, StreamWriter<u8>)>, end: FutureWriter<End>) {
    let sent = match body {
        None | Some((Body::Empty, _)) => Ok(None),
        Some((Body::Full(bytes), mut writer)) => {
            writer.write_all(bytes.into()).await;
            Ok(None)
        }
        Some((Body::Stream(mut stream), mut writer)) => loop {
            match stream.next().await {
                None => break Ok(None),
                Some(Err(error)) => break Err(ErrorCode::InternalError(Some(error.to_string()))),
                Some(Ok(piece)) => {
                    if !writer.write_all(Vec::from(piece)).await.is_empty() {
                        break Ok(None);
                    }
                }
            }
        },
    };
    let _ = end.write(sent).await;
}

fn options(timeouts: Timeouts) -> RequestOptions {
    let nanoseconds = |time: Duration| Some(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    let options = RequestOptions::new();
    // A host that knows none of these leaves the total time as the only bound.
    let _ = options.set_connect_timeout(nanoseconds(timeouts.connect));
    let _ = options.set_first_byte_timeout(nanoseconds(timeouts.first_byte));
    let _ = options.set_between_bytes_timeout(nanoseconds(timeouts.idle));
    options
}

fn method(method: &Method) -> types::Method {
    match *method {
        Method::GET => types::Method::Get,
        Method::HEAD => types::Method::Head,
        Method::POST => types::Method::Post,
        Method::PUT => types::Method::Put,
        Method::DELETE => types::Method::Delete,
        Method::PATCH => types::Method::Patch,
        _ => types::Method::Other(method.as_str().to_owned()),
    }
}

/// The length that the provider declared; two different ones are an error.
fn declared(headers: &http::HeaderMap) -> Result<Option<u64>> {
    let mut declared = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        let length = value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok());
        let length = length.ok_or_else(|| refusal::invalid("the response's content-length is no number"))?;
        if declared.is_some_and(|other| other != length) {
            return Err(refusal::invalid("the response has two different content-lengths"));
        }
        declared = Some(length);
    }
    Ok(declared)
}

/// A provider's body: in time, and as long as it was declared.
struct FromProvider<F> {
    budget: Budget,
    timeouts: Timeouts,
    /// A provider may answer before it has read everything.
    sending: Sending<F>,
    declared: Option<u64>,
    seen: u64,
}

impl<F: Future<Output = ()>> Watch for FromProvider<F> {
    async fn bound<W: Future>(&mut self, wait: W) -> Result<W::Output> {
        self.budget.bound(race(wait, &mut self.sending)).await
    }

    fn pass(&mut self, piece: &bytes::Bytes) -> Result<()> {
        self.seen += piece.len() as u64;
        match self.declared {
            Some(declared) if self.seen > declared => Err(refusal::invalid("the response is longer than it declared")),
            _ => Ok(()),
        }
    }

    fn over(&mut self) -> Result<()> {
        match self.declared {
            Some(declared) if self.seen < declared => {
                Err(refusal::broken(format_args!("{} of {declared} bytes came", self.seen)))
            }
            _ => Ok(()),
        }
    }

    fn broken(&mut self, code: &ErrorCode) -> Error {
        refusal::cut(code, self.timeouts)
    }
}
