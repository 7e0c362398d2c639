//! The native client, for a process that is frozen between invocations.
//!
//! A frozen sandbox does not see connections close, and its monotonic clock may stand still. So connections that
//! were kept are given up when the wall clock says that nobody has used the client for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use edgeway_core::Body;
use edgeway_core::error::Result;
use edgeway_core::ports::{HttpClient, Outbound};
use edgeway_native::ports::http::{Client, Connector};
use http::Response;

/// How long connections are kept unused: less than servers usually do.
const KEPT: Duration = Duration::from_secs(20);

/// The client.
pub struct ThawedClient {
    current: Mutex<(Arc<Client>, SystemTime)>,
}

impl Default for ThawedClient {
    fn default() -> Self {
        Self { current: Mutex::new((new(), SystemTime::now())) }
    }
}

fn new() -> Arc<Client> {
    Arc::new(Client::new(Connector::new(), 1))
}

impl ThawedClient {
    /// The client of this moment. A clock that went back tells of a thaw, too.
    fn at(&self, now: SystemTime) -> Arc<Client> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = now.duration_since(current.1);
        if unused.is_err() || unused.is_ok_and(|unused| unused > KEPT) {
            current.0 = new();
        }
        current.1 = now;
        current.0.clone()
    }
}

#[async_trait]
impl HttpClient for ThawedClient {
    async fn send(&self, outbound: Outbound) -> Result<Response<Body>> {
        self.at(SystemTime::now()).send(outbound).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_kept_for_a_moment_and_not_over_a_freeze() {
        let client = ThawedClient::default();
        let start = SystemTime::now();
        let first = client.at(start);
        assert!(Arc::ptr_eq(&first, &client.at(start + KEPT)));
        let thawed = client.at(start + KEPT + KEPT + Duration::from_secs(1));
        assert!(!Arc::ptr_eq(&first, &thawed));
        assert!(!Arc::ptr_eq(&thawed, &client.at(start)));
    }
}
