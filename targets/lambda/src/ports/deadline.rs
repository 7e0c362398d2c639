//! The invocation's end, for exchanges with providers: none lasts beyond it, so that core has the time to end an answer in its
//! caller's protocol.
//!
//! Stores are asked without it: what settles a request comes after it. Invariant: a sandbox has one invocation at a time, so
//! one deadline is right for every exchange that begins.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{HttpClient, Outbound};
use futures_util::TryStreamExt;
use http::Response;
use tokio::time::Instant;

/// When exchanges with providers have to be over; shared, and none before the first invocation.
#[derive(Clone, Default)]
pub struct Deadline(Arc<Mutex<Option<Instant>>>);

impl Deadline {
    /// Sets it for the exchanges that begin from now on.
    pub fn set(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    fn at(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client whose exchanges are over at the deadline, bodies included.
pub struct PunctualClient {
    client: Arc<dyn HttpClient>,
    deadline: Deadline,
}

impl PunctualClient {
    /// Holds `client` to the deadline.
    pub fn new(client: Arc<dyn HttpClient>, deadline: Deadline) -> Self {
        Self { client, deadline }
    }
}

#[async_trait]
impl HttpClient for PunctualClient {
    async fn send(&self, mut outbound: Outbound) -> Result<Response<Body>> {
        let Some(at) = self.deadline.at() else { return self.client.send(outbound).await };
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // A fallback that nobody would wait for.
            return Err(late());
        }
        if left >= outbound.timeouts.total {
            return self.client.send(outbound).await;
        }
        // The total bounds the other phases too.
        outbound.timeouts.total = left;
        let named = move |error: Error| match error.kind {
            ErrorKind::UpstreamTimeout if Instant::now() >= at => late(),
            _ => error,
        };
        let response = self.client.send(outbound).await.map_err(named)?;
        Ok(response.map(|body| match body {
            Body::Stream(stream) => Body::stream(stream.map_err(named)),
            body => body,
        }))
    }
}

/// The function may not run any longer.
pub(crate) fn late() -> Error {
    Error::new(ErrorKind::UpstreamTimeout, "The answer took longer than the function may run.")
        .source("the function's own time limit; raise it, or lower `timeouts.total`")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use edgeway_core::ports::{Network, Timeouts};
    use http::Request;
    use tokio::time::{sleep, timeout};

    use super::*;

    /// Answers after a second, with a chunk a second for as long as the exchange may take.
    struct Slow;

    #[async_trait]
    impl HttpClient for Slow {
        async fn send(&self, outbound: Outbound) -> Result<Response<Body>> {
            let over = Instant::now() + outbound.timeouts.total;
            let chunk = async move |over: Instant| {
                let error = || Error::new(ErrorKind::UpstreamTimeout, "").source("total");
                let left = over.saturating_duration_since(Instant::now());
                timeout(left, sleep(Duration::from_secs(1))).await.map_err(|_| error())
            };
            chunk(over).await?;
            let chunks = futures_util::stream::try_unfold(over, move |over| async move {
                chunk(over).await.map(|()| Some((bytes::Bytes::from_static(b"x"), over)))
            });
            Ok(Response::new(Body::stream(chunks)))
        }
    }

    /// What an exchange of at most so many seconds comes to, and when.
    async fn ask(deadline: &Deadline, total: u64) -> (Option<String>, u64) {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let timeouts = Timeouts { connect: second, first_byte: second * 9, idle: second * 9, total: second * total as u32 };
        let outbound = Outbound { request: Request::new(Body::Empty), timeouts, network: Network::Any };
        let client = PunctualClient::new(Arc::new(Slow), deadline.clone());
        let error = match client.send(outbound).await {
            Ok(response) => response.into_body().collect(usize::MAX).await.expect_err("there is no end"),
            Err(error) => error,
        };
        assert_eq!(error.kind, ErrorKind::UpstreamTimeout);
        (error.source, start.elapsed().as_millis() as u64)
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_is_over_at_its_own_limit_or_the_invocations() {
        let deadline = Deadline::default();
        let (own, functions) = (Some("total".to_owned()), late().source);
        assert_eq!(ask(&deadline, 5).await, (own.clone(), 5000), "none is set");
        deadline.set(Instant::now() + Duration::from_millis(3500));
        assert_eq!(ask(&deadline, 2).await, (own, 2000));
        assert_eq!(ask(&deadline, 5).await, (functions.clone(), 1500), "while a chunk is awaited");
        assert_eq!(ask(&deadline, 5).await, (functions.clone(), 0), "nobody waits for another attempt");
        deadline.set(Instant::now() + Duration::from_millis(500));
        assert_eq!(ask(&deadline, 5).await, (functions, 500), "before the headers");
    }
}
