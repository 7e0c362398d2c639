//! Outbound HTTP: a pool of connections per worker thread over one guarded connector.
//!
//! Invariant: a request is sent at most once. The one exception is a kept connection that turns out to be
//! closed before any byte of the request was taken: that request never left, so it goes out on another.

mod alarm;
mod answer;
mod call;
mod connect;
pub use edgeway_core::ports::guard;
mod one;
mod origin;
mod pool;
mod two;

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{HttpClient, Outbound};
use http::{Response, request};

pub use connect::{Connector, Resolve, Resolving};

use alarm::{Alarm, Phase};
use call::Call;
use one::{Home, One};
use origin::Origin;
use pool::{Kept, Pool};
use two::Two;

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
    async fn send(&self, outbound: Outbound) -> Result<Response<Body>> {
        let Outbound { request, timeouts, network } = outbound;
        let origin = Origin::of(request.uri(), network)?;
        let home = Home { pool: self.pool().clone(), origin };
        let (parts, body) = request.into_parts();
        let mut alarm = Alarm::start(timeouts);
        match home.pool.take(&home.origin) {
            Some(Kept::One(connection)) => {
                let call = Call::new(&parts, body, &home.origin);
                self.over_one(connection, true, call, alarm, home).await
            }
            Some(Kept::Two(connection)) => self.over_two(connection, parts, body, alarm, home).await,
            None => {
                let stream = alarm.bound(self.connector.connect(&home.origin)).await??;
                if !stream.is_http2() {
                    let call = Call::new(&parts, body, &home.origin);
                    return self.over_one(One::new(stream), false, call, alarm, home).await;
                }
                let connection = alarm.bound(Two::open(stream)).await??;
                home.pool.put_two(home.origin.clone(), connection.clone());
                self.over_two(connection, parts, body, alarm, home).await
            }
        }
    }
}

impl Client {
    /// Sends over an HTTP/1.1 connection; over the next one while kept ones turn out to be closed.
    async fn over_one(
        &self,
        mut connection: One,
        mut kept: bool,
        mut call: Call,
        mut alarm: Alarm,
        home: Home,
    ) -> Result<Response<Body>> {
        loop {
            match connection.exchange(&mut call, &mut alarm).await {
                Ok(answer) => return Ok(one::response(connection, answer, alarm, home)),
                Err(error) if !kept || !call.is_untouched() => return Err(error),
                Err(_) => {}
            }
            alarm.enter(Phase::Connect);
            (connection, kept) = match home.pool.take(&home.origin) {
                Some(Kept::One(connection)) => (connection, true),
                _ => {
                    let stream = alarm.bound(self.connector.connect(&home.origin)).await??;
                    if stream.is_http2() {
                        return Err(connect::unreachable_provider(format!("{} no longer speaks HTTP/1.1", home.origin)));
                    }
                    (One::new(stream), false)
                }
            };
        }
    }

    async fn over_two(
        &self,
        mut connection: Two,
        parts: request::Parts,
        body: Body,
        alarm: Alarm,
        home: Home,
    ) -> Result<Response<Body>> {
        let place = connection.enter();
        let (error, unseen) = match connection.exchange(two::request(parts, body), place, alarm).await {
            Ok(response) => return Ok(response),
            Err(failed) => failed,
        };
        // The connection was closing: one more try on a new one, because nothing was sent.
        let Some((request, mut alarm)) = unseen else { return Err(error) };
        alarm.enter(Phase::Connect);
        let stream = alarm.bound(self.connector.connect(&home.origin)).await??;
        if !stream.is_http2() {
            return Err(error);
        }
        let mut connection = alarm.bound(Two::open(stream)).await??;
        home.pool.put_two(home.origin, connection.clone());
        let place = connection.enter();
        connection.exchange(request, place, alarm).await.map_err(|(error, _)| error)
    }
}

/// An exchange that broke off: the caller's sentence, and every cause for the operator.
fn broken(doing: &str, error: &dyn StdError) -> Error {
    let mut cause = format!("{doing}: {error}");
    let mut inner = error.source();
    while let Some(error) = inner {
        cause.push_str(": ");
        cause.push_str(&error.to_string());
        inner = error.source();
    }
    Error::new(ErrorKind::UpstreamUnavailable, "The provider broke the connection off.").source(cause)
}
