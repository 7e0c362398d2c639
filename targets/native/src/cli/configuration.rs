//! From files and environment to a compiled configuration: what every command starts with.
//!
//! Order: `--config FILE`, or `./edgeway.toml` if there is one; the environment over it; command-line flags over that.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use edgeway_core::Body;
use edgeway_core::config::{self, Availability, Config, Diagnostic, Loaded, Probe};
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

/// A configuration that compiled, and what was seen on the way.
pub(super) struct Ready {
    pub(super) config: Config,
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) secrets: EnvironmentSecrets,
    /// The file that was read.
    pub(super) file: Option<PathBuf>,
    /// Local providers that answered.
    pub(super) reachable: BTreeSet<String>,
}

/// Why there is no configuration.
pub(super) enum Failure {
    /// A file could not be read.
    Unreadable(String),
    /// It was read, and is wrong.
    Refused(Vec<Diagnostic>),
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(found: Vec<Diagnostic>) -> Self {
        Self::Refused(found)
    }
}

/// Reads, looks around, compiles.
pub(super) fn ready(sources: Sources) -> Result<Ready, Failure> {
    let (file, loaded) = load(sources)?;
    let names = config::secret_names(&loaded);
    let (secrets, problems) = EnvironmentSecrets::read(names.iter().map(String::as_str));
    if !problems.is_empty() {
        return Err(Failure::Unreadable(problems.join("\n")));
    }
    let available = Availability {
        secrets: names.into_iter().filter(|name| secrets.has(name)).collect(),
        reachable: probe(config::probes(&loaded)),
        public: false,
    };
    let (config, warnings) = config::compile(&loaded, &available)?;
    Ok(Ready { config, warnings, secrets, file, reachable: available.reachable })
}

fn load(sources: Sources) -> Result<(Option<PathBuf>, Loaded), Failure> {
    let path = sources.file.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
    let text = path.as_deref().map(read).transpose().map_err(Failure::Unreadable)?;
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

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Asks local providers, all at once, whether they are there. A refused connection answers at once, so this
/// costs time only where something swallows packets.
fn probe(probes: Vec<Probe>) -> BTreeSet<String> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return BTreeSet::new() };
    let client = Arc::new(Client::new(Connector::new(), 1));
    runtime.block_on(async {
        let answers = join_all(probes.into_iter().map(|probe| {
            let client = client.clone();
            async move { answers(&client, &probe.base_url).await.then_some(probe.provider) }
        }));
        answers.await.into_iter().flatten().collect()
    })
}

async fn answers(client: &Client, base_url: &str) -> bool {
    let Ok(request) = http::Request::get(format!("{base_url}/models")).body(Body::Empty) else { return false };
    let timeouts = Timeouts { connect: PROBE_TIME, first_byte: PROBE_TIME, idle: PROBE_TIME, total: PROBE_TIME };
    let response = client.send(Outbound { request, timeouts, network: Network::Any }).await;
    response.is_ok_and(|response| response.status().is_success())
}
