//! What a command needs of this machine to open a gateway: layers, secrets, stores.

use std::sync::Arc;

use edgeway_core::config::{self, Availability, Loaded, Resolved};
use edgeway_core::ports::memory::MemoryVectors;
use edgeway_core::ports::{EventSink, HttpClient, Ports, SecretStore};

use super::configuration::{self, Failure, Read};
use crate::ports::clock::SystemClock;
use crate::ports::entropy::{self, SystemEntropy};
use crate::ports::secrets::EnvironmentSecrets;
use crate::store::Stores;

/// Most bytes of vectors, which are kept in memory only.
const VECTORS: usize = 64 << 20;

/// A machine that is ready for a gateway.
pub(super) struct Platform {
    pub(super) loaded: Loaded,
    pub(super) available: Availability,
    pub(super) stores: Stores,
    secrets: Arc<EnvironmentSecrets>,
    clock: Arc<SystemClock>,
}

impl Platform {
    /// Opens the stores that file and environment choose: where state is kept is this machine's business, and the document
    /// that is kept there has no say in it.
    pub(super) fn of(Read { loaded, available, .. }: Read) -> Result<Self, Failure> {
        entropy::ready()?;
        let (clock, secrets) = (Arc::new(SystemClock), Arc::new(EnvironmentSecrets::default()));
        let Resolved { config, .. } = configuration::wait(config::resolve(&loaded, &*secrets, available.clone()))??;
        let password = match &config.server.store_password {
            Some(name) => configuration::wait(secrets.secret(name))?.map_err(|error| error.source.unwrap_or(error.message))?,
            None => None,
        };
        let stores = Stores::open(config.server.store.as_ref(), password, clock.clone())?;
        Ok(Self { loaded, available, stores, secrets, clock })
    }

    /// Its ports.
    pub(super) fn ports(&self, http: Arc<dyn HttpClient>, events: Arc<dyn EventSink>) -> Ports {
        Ports {
            http,
            kv: Some(self.stores.kv.clone()),
            cells: Some(self.stores.cells.clone()),
            blobs: Some(self.stores.blobs.clone()),
            events,
            vectors: Some(Arc::new(MemoryVectors::new(VECTORS))),
            secrets: self.secrets.clone(),
            clock: self.clock.clone(),
            entropy: Arc::new(SystemEntropy),
        }
    }
}
