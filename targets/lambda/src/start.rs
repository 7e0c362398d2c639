//! From the function's environment and the file that was shipped with it to a gateway.
//!
//! | what | where |
//! |---|---|
//! | the document | `edgeway.toml` in `LAMBDA_TASK_ROOT`, `EDGEWAY_CONFIG` over it, `EDGEWAY__...` variables over that |
//! | secrets | variables of their names, or files that `NAME_FILE` variables name |
//! | how answers go | `EDGEWAY_RESPONSE_MODE` |
//! | stores | see [`Stores`] |
//!
//! Invariant: whatever is wrong, the function starts and says what it is: to the log once, and to every caller.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use edgeway_core::config::{self, Availability, Diagnostic, Hints};
use edgeway_core::exchange::Inbound;
use edgeway_core::{Gateway, Handled};
use edgeway_native::ports::entropy;

use crate::event::{MODE_VARIABLE, Mode};
use crate::ports::deadline::Deadline;
use crate::ports::{blobs, queue, table};
use crate::stores::Stores;

/// The file that is shipped with the function.
const FILE: &str = "edgeway.toml";
/// Variables of the adapter's own, which are no part of the document.
const OWN: [&str; 4] = [MODE_VARIABLE, table::VARIABLE, blobs::VARIABLE, queue::VARIABLE];
/// How an operator supplies what is missing.
const HINTS: Hints = Hints {
    secret: "under `Environment: Variables:` in template.yaml, or `aws lambda update-function-configuration --function-name \
             edgeway --environment 'Variables={NAME=...}'`, which replaces them all",
    store: "name a DynamoDB table in EDGEWAY_TABLE (template.yaml makes one and does)",
};

/// A gateway, and what the adapter was told.
pub(crate) struct Serving {
    gateway: Arc<Gateway>,
    /// How answers go.
    pub(crate) mode: Mode,
    /// When providers are given up.
    pub(crate) deadline: Deadline,
    /// What the port suites check.
    #[cfg(feature = "suite")]
    subject: edgeway_core::ports::suite::Subject,
}

impl Serving {
    /// Hands a request to core.
    pub(crate) fn handle(&self, inbound: Inbound) -> Handled {
        #[cfg(feature = "suite")]
        {
            let request = &inbound.request;
            if let Some(response) = edgeway_core::ports::suite::answer(request.method(), request.uri().path(), &self.subject) {
                return Handled { response, after: Box::pin(async {}) };
            }
        }
        self.gateway.handle(inbound)
    }
}

/// Why there is no gateway.
pub(crate) struct Refusal(pub(crate) String);

/// Reads everything there is. What is wrong goes to the log here, once.
pub(crate) async fn serving() -> Result<Serving, Refusal> {
    open().await.inspect_err(|refusal| eprintln!("edgeway: not configured\n{}", refusal.0))
}

async fn open() -> Result<Serving, Refusal> {
    entropy::ready().map_err(Refusal)?;
    let mode = Mode::parse(&variable(MODE_VARIABLE)).map_err(Refusal)?;
    let path = std::env::var_os("LAMBDA_TASK_ROOT").map(PathBuf::from).unwrap_or_default().join(FILE);
    let text = shipped(&path).map_err(Refusal)?;
    let file = text.as_deref().map(|text| (FILE, text));
    let loaded = config::load(file, bindings()).map_err(refused)?;
    let stores = Stores::bound().map_err(Refusal)?;
    stores.check().await.map_err(Refusal)?;
    let deadline = Deadline::default();
    let ports = stores.ports(deadline.clone());
    #[cfg(feature = "suite")]
    let subject = {
        let (name, value) = edgeway_core::ports::suite::PRESENT_SECRET;
        edgeway_core::ports::suite::Subject {
            ports: ports.clone(),
            versioned: stores.versioned(),
            secret: Some((name.to_owned(), value.to_owned())),
        }
    };
    let available = Availability { public: true, hints: HINTS, ..Availability::default() };
    let (gateway, warnings) = Gateway::open(ports, loaded, available).await.map_err(refused)?;
    if !warnings.is_empty() {
        eprint!("{}", config::render(&warnings));
    }
    Ok(Serving {
        gateway,
        mode,
        deadline,
        #[cfg(feature = "suite")]
        subject,
    })
}

fn refused(found: Vec<Diagnostic>) -> Refusal {
    Refusal(config::render(&found))
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// What core takes for the document: bindings of its own prefix, and none of the adapter's.
fn bindings() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.to_ascii_uppercase().starts_with("EDGEWAY") && !OWN.contains(&name.as_str()))
}

/// The shipped file, if there is one.
fn shipped(path: &Path) -> Result<Option<String>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}
