//! From files and environment to a compiled configuration: what every command starts with.
//!
//! Order: `--config FILE`, or `./edgeway.toml` if there is one; the environment over it; command-line flags over that.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use edgeway_core::Body;
use edgeway_core::config::{self, Availability, Diagnostic, Hints, Loaded, Probe, Resolved};
use edgeway_core::ports::{HttpClient, Network, Outbound, Timeouts};
use futures_util::future::join_all;

use crate::ports::http::{Client, Connector};
use crate::ports::secrets::EnvironmentSecrets;

/// The file that is read when none is named.
pub(super) const DEFAULT_FILE: &str = "edgeway.toml";
/// How long a local provider has to say that it is there.
const PROBE_TIME: Duration = Duration::from_millis(100);

/// Where a configuration comes from.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// The file that was named.
    pub(super) file: Option<PathBuf>,
    /// Command-line flags, as the variables that they stand for.
    pub(super) flags: Vec<(String, String)>,
}

/// The layers as they were read, and what was seen on the way.
pub(super) struct Read {
    pub(super) loaded: Loaded,
    /// What this machine has; its secrets are not looked up yet.
    pub(super) available: Availability,
    /// The file that was read.
    pub(super) file: Option<PathBuf>,
}

/// A configuration that compiled.
pub(super) struct Ready {
    pub(super) resolved: Resolved,
    /// The file that was read.
    pub(super) file: Option<PathBuf>,
}

/// Why there is no configuration.
pub(super) enum Failure {
    /// Something outside of it: a file could not be read, an address is taken.
    Other(String),
    /// It was read, and is wrong.
    Refused(Vec<Diagnostic>),
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(found: Vec<Diagnostic>) -> Self {
        Self::Refused(found)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Other(message)
    }
}

/// How an operator of a plain server supplies what is missing.
const HINTS: Hints = Hints { secret: "", store: "write `store = \"file:PATH\"` into [server]" };

/// Reads the layers, and looks around.
pub(super) fn read(sources: Sources) -> Result<Read, Failure> {
    let (file, loaded) = load(sources)?;
    let reachable = wait(probe(config::probes(&loaded)))?;
    Ok(Read { loaded, available: Availability { reachable, hints: HINTS, ..Availability::default() }, file })
}

/// Reads, looks around, compiles.
pub(super) fn ready(sources: Sources) -> Result<Ready, Failure> {
    let Read { loaded, available, file } = read(sources)?;
    let secrets = EnvironmentSecrets::default();
    let resolved = wait(config::resolve(&loaded, &secrets, available))??;
    Ok(Ready { resolved, file })
}

/// Runs what has to end before anything is served.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|error| Failure::Other(error.to_string()))?.block_on(work))
}

fn load(sources: Sources) -> Result<(Option<PathBuf>, Loaded), Failure> {
    let path = sources.file.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
    let text = path.as_deref().map(text).transpose().map_err(Failure::Other)?;
    let name = path.as_deref().map(Path::to_string_lossy);
    let file = name.as_deref().zip(text.as_deref());
    let flags: BTreeSet<&str> = sources.flags.iter().map(|(name, _)| name.as_str()).collect();
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !flags.contains(name.to_ascii_uppercase().as_str()));
    let variables: Vec<(String, String)> = environment.chain(sources.flags.iter().cloned()).collect();
    let loaded = config::load(file, variables)?;
    Ok((path, loaded))
}

fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Asks local providers, all at once, whether they are there. A refused connection answers at once, so this
/// costs time only where something swallows packets.
async fn probe(probes: Vec<Probe>) -> BTreeSet<String> {
    let client = Arc::new(Client::new(Connector::new(), 1));
    let answers = join_all(probes.into_iter().map(|probe| {
        let client = client.clone();
        async move { answers(&client, &probe.base_url).await.then_some(probe.provider) }
    }));
    answers.await.into_iter().flatten().collect()
}

async fn answers(client: &Client, base_url: &str) -> bool {
    let Ok(request) = http::Request::get(format!("{base_url}/models")).body(Body::Empty) else { return false };
    let timeouts = Timeouts { connect: PROBE_TIME, first_byte: PROBE_TIME, idle: PROBE_TIME, total: PROBE_TIME };
    let response = client.send(Outbound { request, timeouts, network: Network::Any }).await;
    response.is_ok_and(|response| response.status().is_success())
}
