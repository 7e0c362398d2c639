//! The whole request walk.

use std::sync::{Arc, RwLock};

use futures_util::future::BoxFuture;

use crate::body::Body;
use crate::config::Config;
use crate::exchange::Inbound;
use crate::ports::Ports;

/// The gateway: ports, and the configuration that new requests see.
pub struct Gateway {
    ports: Ports,
    config: RwLock<Arc<Config>>,
}

/// A response, and what is left to do when its body has ended.
pub struct Handled {
    /// The response. Its body must be polled to its end or dropped.
    pub response: http::Response<Body>,
    /// Settles and records. The adapter runs it as soon as it has it; it waits for the body's end itself.
    pub after: BoxFuture<'static, ()>,
}

impl Gateway {
    /// A gateway over a platform.
    pub fn new(ports: Ports, config: Config) -> Self {
        Self { ports, config: RwLock::new(Arc::new(config)) }
    }

    /// The snapshot that a request arriving now would see.
    pub fn config(&self) -> Arc<Config> {
        self.config.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Replaces the snapshot. Requests under way keep theirs.
    pub fn replace(&self, config: Config) {
        *self.config.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(config);
    }

    /// Handles a request. Never fails: every error is a response in the caller's dialect.
    pub async fn handle(&self, inbound: Inbound) -> Handled {
        let _ = (&self.ports, inbound);
        Handled { response: http::Response::new(Body::Empty), after: Box::pin(async {}) }
    }
}
