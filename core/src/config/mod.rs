//! Configuration: from a document in layers to one compiled, immutable snapshot.
//!
//! Three stages, three types: [`Document`] (every field known, unknown ones refused), all [`Diagnostic`]s at once,
//! and [`Config`], which the pipeline reads. Secrets are names, never values.
//!
//! An adapter does three things, and knows nothing of what is inside:
//!
//! ```
//! use edgeway_core::config::{self, Availability, Hints};
//! # use edgeway_core::ports::memory::{ManualClock, MemoryPorts, ScriptedHttp};
//! # use std::sync::Arc;
//! # async fn start() {
//! # let clock = Arc::new(ManualClock::at(edgeway_core::ports::Timestamp(0)));
//! # let ports = MemoryPorts::new(clock.clone(), Arc::new(ScriptedHttp::replies(clock, []))).ports;
//! let file = "[routes.chat]\nmodels = [\"*\"]\ntargets = [\"mine/some-model\"]\n\
//!             [providers.mine]\nbase_url = \"http://127.0.0.1:9000/v1\"";
//! let bindings = [("EDGEWAY__ROUTES__CHAT__TIMEOUT".to_owned(), "20s".to_owned())];
//!
//! // 1. Read the layers. No file is fine: pass `None`. A platform that cannot list its bindings passes the few that it
//! //    can ask for by name: `EDGEWAY_CONFIG` holds a whole document.
//! let loaded = config::load(Some(("edgeway.toml", file)), bindings).expect("valid TOML");
//! // 2. Say what only the platform knows.
//! let available = Availability {
//!     public: false, // true where everybody can reach the gateway
//!     hints: Hints { secret: "run `wrangler secret put NAME`", store: "add a KV namespace to wrangler.toml" },
//!     ..Availability::default()
//! };
//! // 3. Open. Show all diagnostics at once, whether it fails or not.
//! let (gateway, warnings) = edgeway_core::Gateway::open(ports, loaded, available)
//!     .await
//!     .unwrap_or_else(|found| panic!("{}", config::render(&found)));
//! assert!(warnings.is_empty());
//! assert_eq!(gateway.config().routes[0].timeouts.expect("given").total.as_secs(), 20);
//! # }
//! # futures_util::FutureExt::now_or_never(start()).expect("never waits");
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `load.rs` | reads every layer into one document |
//! | `source.rs`, `node.rs`, `origin.rs`, `path.rs` | texts as trees whose values know their place |
//! | `layer.rs`, `environment.rs`, `leaf.rs` | laying trees over each other, and what came of it |
//! | `versions.rs` | documents in the gateway's stores, by version |
//! | `document.rs`, `issuer.rs`, `limiting.rs`, `shape.rs`, `word.rs`, `duration.rs`, `size.rs`, `secret_name.rs`, `store.rs` | the fields, and how each is read |
//! | `alternative.rs`, `check/`, `target.rs`, `address.rs` | contradictions |
//! | `row.rs`, `compile.rs`, `resolve.rs`, `hints.rs` | the meaning |
//! | `diagnostic.rs` | what is wrong |
//! | `reference.rs`, `starter.rs`, `schema.rs` | `docs/config.md`, `edgeway init`, the JSON Schema |

mod address;
mod alternative;
mod check;
mod compile;
mod diagnostic;
mod document;
mod duration;
mod environment;
mod hints;
mod issuer;
mod layer;
mod leaf;
mod limiting;
mod load;
mod node;
mod origin;
mod path;
mod price;
mod reference;
mod resolve;
mod row;
mod schema;
mod secret_name;
mod shape;
mod size;
mod source;
mod starter;
mod store;
mod target;
mod versions;
mod word;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::model::{ModelLimits, Price};
use crate::policy::limit::Rule;
use crate::ports::Timeouts;
use crate::provider::Provider;

pub use compile::{Availability, Probe, compile, probes, secret_names};
pub use diagnostic::{Diagnostic, Severity, render};
pub use document::{
    AdminSection, AuthSection, ConfigSection, CredentialChoice, CredentialHeader, Document, ModelSection, PriceSection,
    ProviderSection, QuirksSection, RouteSection, ServerSection, SpeaksSection, TierSection, TimeoutsChange, TimeoutsSection,
    TlsSection, UsageSection,
};
pub use duration::Period;
pub use hints::Hints;
pub use issuer::{Issuer, IssuerSection, KeySource, Told};
pub use layer::{Layer, Layers};
pub use leaf::{Change, Leaf, changes};
pub use limiting::{AdmissionSection, AlertsSection, BudgetSection, LimitSection, Several};
pub use load::{Loaded, load};
pub use origin::Origin;
pub use reference::reference;
pub use resolve::{Resolved, resolve};
pub use schema::schema;
pub use secret_name::SecretName;
pub use shape::Named;
pub use size::Size;
pub use starter::starter;
pub use store::{RedisAddress, StoreChoice};
pub(crate) use versions::digest;
pub use versions::{DOCUMENT_BYTES, Entry, STORED, Set, Versions};

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
    /// Whether callers must show who they are. Never false where others than this machine can connect.
    pub auth_required: bool,
    /// How old what is known of a virtual key may be.
    pub auth_refresh: std::time::Duration,
    /// How old it may be while the store does not answer.
    pub auth_grace: std::time::Duration,
    /// Whose tokens are good, in order of appearance.
    pub issuers: Vec<Arc<Issuer>>,
    /// Names of the secrets that hold the administrators' keys.
    pub admin_keys: Vec<String>,
    /// Name of the secret with which the first administrator is made.
    pub bootstrap: Option<String>,
    /// How often the store is asked for a newer version.
    pub refresh: std::time::Duration,
    /// What is kept of requests.
    pub usage: Records,
    /// Every known provider, by name: the built-in rows with the document's changes, and custom ones.
    pub providers: BTreeMap<String, Arc<ProviderEntry>>,
    /// Model aliases and what the document says of models, by name.
    pub models: BTreeMap<String, ModelEntry>,
    /// Routes in order of priority; the first whose patterns match is taken.
    pub routes: Vec<Route>,
    /// Limits, then budgets.
    pub rules: Vec<Rule>,
    /// Among how many instances a limit is divided, where each counts for itself or holds a part.
    pub instances: u32,
    /// Who is told that a budget runs out.
    pub webhook: Option<Webhook>,
}

/// Where alerts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The address.
    pub url: String,
    /// The name of the secret that signs them.
    pub secret: String,
}

/// What is kept of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records {
    /// Whether anything is.
    pub store: bool,
    /// For how long.
    pub retention: std::time::Duration,
}

/// What a server needs.
#[derive(Clone, Debug)]
pub struct Server {
    /// Address and port.
    pub listen: String,
    /// Largest request body in bytes, where a route does not say.
    pub max_body: usize,
    /// Largest sum of a request's header names and values in bytes.
    pub max_header: usize,
    /// Most header fields of one request.
    pub max_headers: usize,
    /// How long a client may take to send a request's headers.
    pub header_timeout: std::time::Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: std::time::Duration,
    /// Most connections at once.
    pub max_connections: usize,
    /// Certificate chain and private key, PEM files.
    pub tls: Option<Tls>,
    /// How long requests may take to end after SIGTERM.
    pub drain: std::time::Duration,
    /// How long requests are still taken after SIGTERM, before the drain begins.
    pub drain_delay: std::time::Duration,
    /// Where state is kept; `None` when nobody chose.
    pub store: Option<StoreChoice>,
    /// Name of the secret that holds the store's password.
    pub store_password: Option<String>,
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
    /// What it costs, where the document says so.
    pub price: Option<Arc<Price>>,
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
    /// What it costs there, from the document or the catalog; `None` when nobody knows.
    pub price: Option<Arc<Price>>,
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
    /// Whether requests may come without a key.
    pub anonymous: bool,
}
