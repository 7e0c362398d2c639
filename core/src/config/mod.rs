//! Configuration: from a document in layers to one compiled, immutable snapshot.
//!
//! Three stages, three types: `Document` (serde, unknown fields refused), all `Diagnostic`s at once,
//! and [`Config`], which the pipeline reads. Secrets are names, never values.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::model::ModelLimits;
use crate::ports::Timeouts;
use crate::provider::Provider;

/// A compiled configuration: valid, complete, immutable.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names the snapshot in records: a short hash of the document.
    pub version: String,
    /// What a server needs; edge targets ignore most of it.
    pub server: Server,
    /// Time budgets where a route or provider gives none.
    pub timeouts: Timeouts,
    /// Names of the secrets that hold the gateway's own keys. Empty: no authentication, loopback only.
    pub auth_keys: Vec<String>,
    /// Every known provider, by name: the built-in rows with the document's changes, and custom ones.
    pub providers: BTreeMap<String, Arc<ProviderEntry>>,
    /// Model aliases and what the document says of models, by name.
    pub models: BTreeMap<String, ModelEntry>,
    /// Routes in order of priority; the first whose patterns match is taken.
    pub routes: Vec<Route>,
}

/// What a server needs.
#[derive(Clone, Debug)]
pub struct Server {
    /// Address and port.
    pub listen: String,
    /// Largest request body in bytes, where a route does not say.
    pub max_body: usize,
    /// Certificate chain and private key, PEM files.
    pub tls: Option<Tls>,
    /// How long requests may take to end after SIGTERM.
    pub drain: std::time::Duration,
}

/// TLS files.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub certificate: String,
    /// Private key, PEM.
    pub key: String,
}

/// A provider as configured.
#[derive(Clone, Debug)]
pub struct ProviderEntry {
    /// Its row.
    pub row: Provider,
    /// The name of the secret that holds its key; `None` when it has none to give.
    pub key: Option<String>,
    /// Whether it is on: its key is set, it needs none, or the document says so.
    pub enabled: bool,
    /// Its own time budgets.
    pub timeouts: Option<Timeouts>,
    /// Headers added to every request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Models to list, as named at the provider.
    pub models: Vec<String>,
}

/// An alias, or what the document says of a model.
#[derive(Clone, Debug)]
pub struct ModelEntry {
    /// Where it leads, first wins, the rest are fallbacks.
    pub targets: Vec<Target>,
    /// Its limits, where the document gives them.
    pub limits: ModelLimits,
}

/// A model at a provider.
#[derive(Clone, Debug)]
pub struct Target {
    /// The provider.
    pub provider: Arc<ProviderEntry>,
    /// The model's name there.
    pub model: String,
    /// Its limits, from the document or the catalog.
    pub limits: ModelLimits,
}

/// A route: which requests, to which targets, within which limits.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// Patterns of the requested model: a literal, or with one trailing `*`.
    pub models: Vec<String>,
    /// Where to send, in order; the next is tried when one fails before any content.
    pub targets: Vec<Target>,
    /// Time budgets; those of a provider where the route gives none.
    pub timeouts: Option<Timeouts>,
    /// Largest request body in bytes.
    pub max_body: Option<usize>,
}
