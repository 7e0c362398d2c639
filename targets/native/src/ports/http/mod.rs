//! Outbound HTTP: a pool of connections per worker thread over one guarded connector.
//!
//! Invariant: a request is sent at most once. The one exception is a kept connection that turns out to be
//! closed before any byte of the request was written: that request never left, so it goes out on another.

mod alarm;
mod body;
mod connect;
pub mod guard;
mod origin;
mod pool;

use std::sync::Arc;

use async_trait::async_trait;
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{HttpClient, Network, Outbound};
use hyper_util::rt::{TokioExecutor, TokioIo};

pub use connect::{Connector, Resolve, Resolving};

use alarm::{Alarm, Phase};
use body::{Received, Sent};
use pool::{Connection, Key, Pool};

/// The HTTP client.
pub struct Client {
    connector: Connector,
    pools: Box<[Arc<Pool>]>,
}

impl Client {
    /// A client for so many worker threads.
    pub fn new(connector: Connector, workers: usize) -> Self {
        Self { connector, pools: (0..workers.max(1)).map(|_| Arc::default()).collect() }
    }

    fn pool(&self) -> &Arc<Pool> {
        &self.pools[crate::server::worker() % self.pools.len()]
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send(&self, outbound: Outbound) -> Result<http::Response<Body>> {
        let Outbound { request, timeouts, network } = outbound;
        let key = Key { origin: origin::Origin::of(request.uri())?, public: network == Network::Public };
        let pool = self.pool();
        let mut alarm = Alarm::start(timeouts);
        let (mut parts, body) = request.into_parts();
        if !parts.headers.contains_key(http::header::HOST)
            && let Some(authority) = parts.uri.authority()
            && let Ok(host) = http::HeaderValue::from_str(authority.as_str())
        {
            parts.headers.insert(http::header::HOST, host);
        }
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
        let absolute = std::mem::replace(&mut parts.uri, http::Uri::from(path));
        let mut request = http::Request::from_parts(parts, Sent::new(body));
        loop {
            let (mut connection, kept) = match pool.take(&key) {
                Some(connection) => (connection, true),
                None => (alarm.bound(self.open(&key)).await??, false),
            };
            alarm.enter(Phase::FirstByte);
            if matches!(connection, Connection::Two(_)) {
                *request.uri_mut() = absolute.clone();
                request.headers_mut().remove(http::header::HOST);
            }
            let outcome = match &mut connection {
                Connection::One(sender) => alarm.bound(sender.try_send_request(request)).await?,
                Connection::Two(sender) => alarm.bound(sender.try_send_request(request)).await?,
            };
            match outcome {
                Ok(response) => {
                    alarm.enter(Phase::Idle);
                    let (parts, incoming) = response.into_parts();
                    let body = Received::body(incoming, alarm, pool.clone(), key, connection);
                    return Ok(http::Response::from_parts(parts, body));
                }
                Err(mut failed) => match failed.take_message().filter(|_| kept) {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(&failed.into_error())),
                },
            }
        }
    }
}

impl Client {
    async fn open(&self, key: &Key) -> Result<Connection> {
        let stream = self.connector.connect(&key.origin, key.network()).await?;
        let handshake = |error: hyper::Error| connect::unreachable_provider(format!("handshake with {}: {error}", key.origin));
        if stream.is_http2() {
            let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(1 << 20)
                .initial_connection_window_size(1 << 22)
                .handshake(TokioIo::new(stream))
                .await
                .map_err(handshake)?;
            tokio::spawn(connection);
            return Ok(Connection::Two(sender));
        }
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(handshake)?;
        tokio::spawn(connection);
        Ok(Connection::One(sender))
    }
}

fn broken(error: &hyper::Error) -> Error {
    let mut cause = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        cause.push_str(": ");
        cause.push_str(&inner.to_string());
        source = inner.source();
    }
    Error::new(ErrorKind::UpstreamUnavailable, "The provider broke the connection off.").source(cause)
}
