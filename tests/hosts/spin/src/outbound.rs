//! Outbound HTTP as Spin sends it: allowed hosts only, over kept connections, within the times that the component asks for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::hosts::Pattern;

/// Kept connections.
pub(crate) struct Clients(Client<HttpConnector, WasiBody>);

impl Default for Clients {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }
}

/// What an instance may call, and how.
pub(crate) struct Outbound {
    pub(crate) hosts: Arc<Vec<Pattern>>,
    pub(crate) clients: Arc<Clients>,
}

type Processed = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(Response<WasiBody>, Processed), Error>> + Send>;

impl WasiHttpHooks for Outbound {
    fn send_request(&mut self, mut request: Request<WasiBody>, options: Option<RequestOptions>, _: Processed) -> Sent {
        if !self.hosts.iter().any(|pattern| pattern.allows(request.uri())) {
            eprintln!("edgeway-spin-host: {} is not in allowed_outbound_hosts", request.uri());
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        let clients = self.clients.clone();
        Box::new(async move {
            if request.uri().scheme() == Some(&Scheme::HTTPS) {
                let (response, io) = wasmtime_wasi_http::default_send_request(request, options).await?;
                return Ok((response.map(|body| body.boxed_unsync()), Box::new(io) as Processed));
            }
            request.headers_mut().remove(header::HOST);
            let options = options.unwrap_or_default();
            let first_byte =
                options.connect_timeout.unwrap_or(DEFAULT).saturating_add(options.first_byte_timeout.unwrap_or(DEFAULT));
            let response = timeout(first_byte, clients.0.request(request)).await.map_err(|_| Error::ConnectionReadTimeout)?;
            let response = response.map_err(failure)?;
            let between = options.between_bytes_timeout.unwrap_or(DEFAULT);
            let response = response.map(|body| Timed { body, between, sleep: None }.boxed_unsync());
            Ok((response, Box::new(async { Ok(()) }) as Processed))
        })
    }
}

/// Spin's times where a component asks for none.
const DEFAULT: Duration = Duration::from_secs(600);

fn failure(error: hyper_util::client::legacy::Error) -> Error {
    match error.is_connect() {
        true => Error::ConnectionRefused,
        false => Error::HttpProtocolError,
    }
}

/// A body whose pieces come within a time.
struct Timed {
    body: Incoming,
    between: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.sleep = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        let between = self.between;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(between)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
