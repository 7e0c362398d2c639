//! The application: configuration, ports and gateway of one instance.
//!
//! Invariant: never a trap. An application that is not configured well answers every request with what to fix, and
//! `/health` all the same.

use std::io::ErrorKind as IoErrorKind;
use std::sync::{Arc, Mutex, PoisonError};

use edgeway_core::Gateway;
use edgeway_core::config::{self, Availability, Hints, Loaded};
use edgeway_core::ports::{Clock, Entropy, Ports, SwapCells, VersionedStore};

use crate::ports::blobs::SqliteBlobs;
use crate::ports::cells::SqliteCells;
use crate::ports::clock::WasiClock;
use crate::ports::database::Database;
use crate::ports::entropy::WasiEntropy;
use crate::ports::events::StdoutEvents;
use crate::ports::http::Client;
use crate::ports::kv::{self, SpinKv};
use crate::ports::secrets::{self, VariableSecrets};

/// The document that is shipped with the component: `files` in spin.toml.
const FILE: &str = "edgeway.toml";
/// The variable that may hold a whole document.
const DOCUMENT: &str = "edgeway_config";

/// This instance's gateway, once it has been asked for.
static GATEWAY: Mutex<Option<Arc<Gateway>>> = Mutex::new(None);

/// The gateway of this instance, or why there is none. A failure is not kept: what was amiss may be mended.
pub(crate) async fn gateway() -> Result<Arc<Gateway>, String> {
    if let Some(gateway) = &*GATEWAY.lock().unwrap_or_else(PoisonError::into_inner) {
        return Ok(gateway.clone());
    }
    let gateway = open().await?;
    *GATEWAY.lock().unwrap_or_else(PoisonError::into_inner) = Some(gateway.clone());
    Ok(gateway)
}

async fn open() -> Result<Arc<Gateway>, String> {
    let available = Availability { public: true, hints: HINTS, ..Availability::default() };
    let opened = Gateway::open(platform().await.ports, load().await?, available).await;
    let (gateway, warnings) = opened.map_err(|found| config::render(&found))?;
    if !warnings.is_empty() {
        eprint!("{}", config::render(&warnings));
    }
    Ok(gateway)
}

/// How an operator gives Spin what the configuration asks for.
const HINTS: Hints = Hints {
    secret: "its variable has the same name in lower case: declare it in spin.toml as `edgeway_key` is, under [variables] and under \
             [component.edgeway.variables], and give its value in SPIN_VARIABLE_NAME or a vault",
    store: "write `key_value_stores = [\"default\"]` and `sqlite_databases = [\"default\"]` under [component.edgeway] in spin.toml",
};

/// Spin's interfaces as core's ports, and the store below its cells.
pub(crate) struct Platform {
    pub(crate) ports: Ports,
    #[cfg(feature = "suite")]
    pub(crate) versioned: Arc<dyn VersionedStore>,
}

/// The ports of this instance. A store that spin.toml does not give is a port that is not there, which core reports to
/// whoever needs it; the log says what to write.
pub(crate) async fn platform() -> Platform {
    let clock: Arc<dyn Clock> = Arc::new(WasiClock);
    let entropy: Arc<dyn Entropy> = Arc::new(WasiEntropy);
    let has_kv = given("key-value store", "key_value_stores", kv::given().await);
    let database = Arc::new(Database::default());
    let has_database = given("SQLite database", "sqlite_databases", database.given().await);
    let versioned: Arc<dyn VersionedStore> = Arc::new(SqliteCells::new(database.clone(), clock.clone(), entropy.clone()));
    let ports = Ports {
        http: Arc::new(Client),
        kv: has_kv.then(|| Arc::new(SpinKv::new(clock.clone())) as _),
        cells: has_database.then(|| Arc::new(SwapCells::new(versioned.clone(), clock.clone(), entropy.clone())) as _),
        blobs: has_database.then(|| Arc::new(SqliteBlobs::new(database, clock.clone(), entropy.clone())) as _),
        events: Arc::new(StdoutEvents),
        vectors: None,
        secrets: Arc::new(VariableSecrets::default()),
        clock,
        entropy,
    };
    Platform {
        ports,
        #[cfg(feature = "suite")]
        versioned,
    }
}

/// Whether spin.toml gives a store; says how to if it does not.
fn given(what: &str, field: &str, given: bool) -> bool {
    if !given {
        eprintln!("edgeway: there is no {what} `default`: write {field} = [\"default\"] under [component.edgeway] in spin.toml");
    }
    given
}

/// The shipped file, the document in the variable over it, and the component's environment over both.
async fn load() -> Result<Loaded, String> {
    let file = match std::fs::read_to_string(FILE) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == IoErrorKind::NotFound => None,
        Err(error) => return Err(format!("cannot read {FILE}, which spin.toml ships with the component: {error}")),
    };
    let document = secrets::value(DOCUMENT).await.map_err(|error| format!("{error:?}"))?;
    let environment = document.map(|document| ("EDGEWAY_CONFIG".to_owned(), document)).into_iter().chain(std::env::vars());
    config::load(file.as_deref().map(|text| (FILE, text)), environment).map_err(|found| config::render(&found))
}
