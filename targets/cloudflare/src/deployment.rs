//! From the bindings of a deployment to a gateway, once an isolate.
//!
//! What is missing is said in the log. What is wrong (a binding of another kind, a configuration that is refused)
//! makes a deployment that answers every request with what to do about it: an isolate never crashes over it.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use edgeway_core::config::{self, Availability, Hints};
use edgeway_core::ports::{BlobStore, CellStore, KvStore, Ports};
use edgeway_core::{Body, Gateway, unserved};
use http::{Request, Response};
use worker::js_sys::{Array, Reflect};
use worker::wasm_bindgen::prelude::*;
use worker::{Env, console_error, console_warn};

use crate::bindings::{self, Bindings, Kind};
use crate::ports::{Blobs, Cells, Fetch, Kv, Records, RuntimeClock, RuntimeEntropy, Secrets};

/// The configuration that was built in; empty when there was none.
const SHIPPED: &str = include_str!(concat!(env!("OUT_DIR"), "/edgeway.toml"));

/// How an operator supplies what a configuration asks for.
const HINTS: Hints = Hints {
    secret: "run `wrangler secret put NAME`",
    store: "bind a KV namespace as `KV` and the Durable Object class `CellObject` as `CELLS` in wrangler.toml",
};

#[wasm_bindgen(module = "/src/js/bindings.js")]
extern "C" {
    #[wasm_bindgen(js_name = bindings)]
    fn bound(env: &Env) -> Array;
}

thread_local! {
    static OPENED: OnceCell<Rc<Deployment>> = const { OnceCell::new() };
}

/// What a deployment came to.
pub(crate) struct Deployment {
    /// The gateway, or why there is none.
    pub(crate) gateway: Result<Arc<Gateway>, Refusal>,
    /// What the gateway stands on.
    #[cfg(feature = "suite")]
    pub(crate) ports: Ports,
    blobs: Option<Blobs>,
}

impl Deployment {
    /// The deployment that `env` belongs to; an isolate has one. Requests that come together at its start may each
    /// open one, of which the first is kept: none waits for what another began.
    pub(crate) async fn of(env: &Env) -> Rc<Self> {
        if let Some(opened) = OPENED.with(|opened| opened.get().cloned()) {
            return opened;
        }
        let new = Rc::new(open(env).await);
        OPENED.with(|opened| opened.get_or_init(|| new).clone())
    }

    /// Does what no store does by itself.
    pub(crate) async fn tidy_up(&self) {
        if let Some(blobs) = &self.blobs
            && let Err(error) = blobs.purge().await
        {
            console_error!("housekeeping: {error:?}");
        }
    }
}

async fn open(env: &Env) -> Deployment {
    let found = bound(env).iter().map(|part| part.as_string().unwrap_or_default()).collect::<Vec<_>>();
    let triples = found.chunks_exact(3).map(|part| (part[0].clone(), Kind::named(&part[1]), part[2].clone()));
    let bindings = Arc::new(Bindings::new(triples));
    let mut wrong = Vec::new();
    for finding in bindings.findings() {
        if finding.fatal {
            console_error!("error: {}", finding.message);
            wrong.push(finding.message);
        } else {
            console_warn!("warning: {}", finding.message);
        }
    }
    let binding = |name: &str| bindings.has(name).then(|| Reflect::get(env, &name.into()).unwrap_or_default());
    let blobs = binding(bindings::BLOBS).map(Blobs::new);
    let ports = Ports {
        http: Arc::new(Fetch),
        kv: binding(bindings::KV).map(|kv| Arc::new(Kv::new(kv)) as Arc<dyn KvStore>),
        cells: binding(bindings::CELLS).map(|objects| Arc::new(Cells::new(objects)) as Arc<dyn CellStore>),
        blobs: blobs.clone().map(|blobs| Arc::new(blobs) as Arc<dyn BlobStore>),
        events: Arc::new(Records::new(binding(bindings::EVENTS), binding(bindings::ANALYTICS))),
        vectors: None,
        secrets: Arc::new(Secrets::new(bindings.clone(), env.clone())),
        clock: Arc::new(RuntimeClock),
        entropy: Arc::new(RuntimeEntropy),
    };
    #[cfg(feature = "suite")]
    let kept = ports.clone();
    let gateway = match configured(&bindings, ports).await {
        Ok(gateway) if wrong.is_empty() => Ok(gateway),
        Ok(_) => Err(Refusal(wrong)),
        Err(more) => Err(Refusal([wrong, more].concat())),
    };
    Deployment {
        gateway,
        #[cfg(feature = "suite")]
        ports: kept,
        blobs,
    }
}

/// Reads the shipped file and the bindings over it. What is wrong is in the log, and in the error.
async fn configured(bindings: &Bindings, ports: Ports) -> Result<Arc<Gateway>, Vec<String>> {
    let refused = |found: Vec<config::Diagnostic>| {
        console_error!("{}", config::render(&found));
        let errors = found.iter().filter(|diagnostic| diagnostic.severity == config::Severity::Error);
        errors.map(|diagnostic| format!("{} at {}: {}", diagnostic.message, diagnostic.path, diagnostic.help)).collect::<Vec<_>>()
    };
    let file = Some(("edgeway.toml", SHIPPED)).filter(|(_, text)| !text.is_empty());
    let loaded = config::load(file, bindings.variables()).map_err(refused)?;
    let available = Availability { public: true, hints: HINTS, ..Availability::default() };
    let (gateway, warnings) = Gateway::open(ports, loaded, available).await.map_err(refused)?;
    if !warnings.is_empty() {
        console_warn!("{}", config::render(&warnings));
    }
    Ok(gateway)
}

/// Why there is no gateway.
pub(crate) struct Refusal(Vec<String>);

impl Refusal {
    /// The answer to any request: what to do about it, as an error in the caller's protocol. Only `/health` is well:
    /// the Worker runs.
    pub(crate) fn answer(&self, request: Request<Body>) -> Response<Body> {
        let first = self.0.first().map_or("its log says why", String::as_str);
        let more = match self.0.len() {
            0 | 1 => String::new(),
            all => format!(" (and {} more, in the log)", all - 1),
        };
        unserved::misconfigured(&request.into_parts().0, &format!("{first}{more}."))
    }
}
