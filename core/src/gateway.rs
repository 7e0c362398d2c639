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

/// A request under way: two futures, neither of which starts before it is polled.
pub struct Handled {
    /// The response. Dropping it (the client went away) cancels all work for the request. Its body
    /// must be polled to its end or dropped.
    pub response: BoxFuture<'static, http::Response<Body>>,
    /// Settles and records. The adapter registers it *before* it polls `response`, in a way that
    /// survives a client that goes away (`tokio::spawn`, `wait_until`); it waits for the end of the
    /// response's body itself, or for its drop. An adapter may poll it once inline when `response`
    /// is ready: for whole bodies it is usually ready too.
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
    pub fn handle(self: &Arc<Self>, inbound: Inbound) -> Handled {
        let _ = (&self.ports, inbound);
        Handled { response: Box::pin(async { http::Response::new(Body::Empty) }), after: Box::pin(async {}) }
    }
}
