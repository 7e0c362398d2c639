//! The configuration that requests see, and how a stored document gets into it.
//!
//! | when | what happens |
//! |---|---|
//! | the first request of an instance | waits for the stored document, at most [`PATIENCE`] |
//! | a request, `config.refresh` after the last look | asks for a newer version beside its own work, for at most [`LOOK`] |
//! | a version that compiles | new requests see it; those under way keep what they have |
//! | a version that does not compile, or cannot be read | an event says so; the last good one stays |
//! | a store that is away | the same |
//!
//! Invariant: [`Live::config`] always gives a configuration that compiled whole.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::audit::{Denials, Trail};
use crate::config::{self, Availability, Config, Diagnostic, Entry, Layer, Layers, Loaded, Resolved, STORED, Versions};
use crate::error::{Error, Result};
use crate::exchange::Notice;
use crate::objects::Objects;
use crate::ports::{Event, Ports, Timestamp};

/// How long the first request of an instance waits for the stored document.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a later look may take. It delays no answer; on platforms that freeze after one it holds back the answer's end.
const LOOK: Duration = Duration::from_secs(1);

/// The live configuration of a gateway.
pub(crate) struct Live {
    ports: Ports,
    base: Loaded,
    available: Availability,
    versions: Option<Versions>,
    objects: Option<Objects>,
    trail: Option<Trail>,
    denials: Denials,
    /// When the store was last asked; 0 before the first answer, and before patience has ended.
    asked: AtomicU64,
    state: RwLock<State>,
}

/// What is served, and what is not.
#[derive(Clone)]
pub(crate) struct State {
    /// What requests see.
    pub(crate) config: Arc<Config>,
    /// Its layers.
    pub(crate) layers: Arc<Layers>,
    /// The stored version in it; `None` for file and environment alone.
    pub(crate) serving: Option<Entry>,
    /// The stored version that should be served and is not.
    pub(crate) refused: Option<Refused>,
}

/// Why the current version is not served.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refused {
    /// The version; `None` when not even that could be read.
    pub(crate) entry: Option<Entry>,
    /// Why, for the log.
    pub(crate) why: String,
    /// What is wrong with it, when it could be read.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// A document that compiled on top of the layers below.
pub(crate) struct Candidate {
    pub(crate) resolved: Resolved,
    pub(crate) layers: Layers,
}

impl Live {
    pub(super) fn new(ports: Ports, base: Loaded, resolved: Resolved) -> Self {
        let state =
            State { config: Arc::new(resolved.config), layers: Arc::new(base.layers.clone()), serving: None, refused: None };
        let (versions, objects, trail) = (Versions::of(&ports), Objects::of(&ports), Trail::of(&ports));
        Self {
            ports,
            base,
            available: resolved.available,
            versions,
            objects,
            trail,
            denials: Denials::default(),
            asked: AtomicU64::new(0),
            state: RwLock::new(state),
        }
    }

    /// What a request that arrives now would see.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.lock().config.clone()
    }

    /// What is served and what is not, as of now.
    pub(crate) fn state(&self) -> State {
        self.lock().clone()
    }

    fn lock(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored documents, if the platform has stores.
    pub(crate) fn versions(&self) -> Option<&Versions> {
        self.versions.as_ref()
    }

    /// Tenants, keys and the like, if the platform has cells.
    pub(crate) fn objects(&self) -> Option<&Objects> {
        self.objects.as_ref()
    }

    /// The audit trail, if the platform has stores.
    pub(crate) fn trail(&self) -> Option<&Trail> {
        self.trail.as_ref()
    }

    /// This instance's count of strangers at the administration's door.
    pub(crate) fn denials(&self) -> &Denials {
        &self.denials
    }

    /// What the operator should do to have stores.
    pub(crate) fn store_hint(&self) -> &'static str {
        self.available.hints.store
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Waits for the stored document, if nobody has yet.
    pub(super) async fn ready(&self) {
        if self.versions.is_none() || self.asked.load(Ordering::Acquire) != 0 {
            return;
        }
        // Each early request looks for itself: on some platforms one request cannot wait for another's work.
        self.look_within(PATIENCE).await;
        self.asked.store(self.ports.clock.now().0.max(1), Ordering::Release);
    }

    /// The work of asking for a newer version, when it is time to; it belongs to one request, beside its own work.
    pub(super) fn due(self: &Arc<Self>, now: Timestamp) -> Option<impl Future<Output = ()> + Send + 'static> {
        self.versions.as_ref()?;
        let asked = self.asked.load(Ordering::Acquire);
        // A clock that went back is as good a reason to look as one that went on.
        let passed = Duration::from_micros(now.0.abs_diff(asked));
        if asked == 0 || passed < self.lock().config.refresh {
            return None;
        }
        self.asked.compare_exchange(asked, now.0.max(1), Ordering::AcqRel, Ordering::Acquire).ok()?;
        let live = self.clone();
        Some(async move { live.look_within(LOOK).await })
    }

    async fn look_within(&self, patience: Duration) {
        let look = pin!(self.look());
        if let Either::Right(_) = select(look, self.ports.clock.sleep(patience)).await {
            self.refuse(None, format!("the store gave no answer within {} ms", patience.as_millis()), Vec::new()).await;
        }
    }

    /// Asks for the current version, and serves it if it is another and compiles.
    async fn look(&self) {
        let Some(versions) = &self.versions else { return };
        let current = match versions.current().await {
            Ok(Some(current)) => current,
            Ok(None) => {
                self.state.write().unwrap_or_else(PoisonError::into_inner).refused = None;
                return;
            }
            Err(error) => return self.refuse(None, said(&error), Vec::new()).await,
        };
        if self.is_served(&current) {
            return;
        }
        match versions.text(&current).await {
            Err(error) => self.refuse(Some(current), said(&error), Vec::new()).await,
            Ok(text) => match self.compile(&text, &source(&current)).await {
                Ok(candidate) => self.serve(current, candidate).await,
                Err(found) => {
                    let why = found.first().map_or_else(String::new, |first| format!("{} (at {})", first.message, first.path));
                    self.refuse(Some(current), why, found).await;
                }
            },
        }
    }

    /// Whether a version's document is what is served; if so, it is from now on known by that version.
    fn is_served(&self, current: &Entry) -> bool {
        let state = self.lock();
        let Some(serving) = state.serving.as_ref().filter(|serving| serving.digest == current.digest) else { return false };
        if serving == current && state.refused.is_none() {
            return true;
        }
        drop(state);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match &mut state.serving {
            Some(serving) if serving.digest == current.digest => {
                if serving.version < current.version {
                    serving.clone_from(current);
                }
                state.refused = None;
                true
            }
            _ => false,
        }
    }

    /// Compiles a document on top of the layers below. `source` is what diagnostics call it.
    pub(crate) async fn compile(&self, text: &str, source: &str) -> Result<Candidate, Vec<Diagnostic>> {
        let loaded = self.base.with(Layer::document(STORED, source, text)?);
        let resolved = config::resolve(&loaded, &*self.ports.secrets, self.available.clone()).await?;
        Ok(Candidate { resolved, layers: loaded.layers })
    }

    /// Gives new requests a version. One that is older than what is served comes too late.
    pub(crate) async fn serve(&self, entry: Entry, candidate: Candidate) {
        let notice = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            if state.serving.as_ref().is_some_and(|serving| serving.version >= entry.version) {
                return;
            }
            state.config = Arc::new(candidate.resolved.config);
            state.layers = Arc::new(candidate.layers);
            state.refused = None;
            let before = state.serving.replace(entry.clone());
            Notice { previous: before.map(|before| before.version), ..self.notice("config_served", Some(&entry)) }
        };
        self.say(notice).await;
    }

    /// Keeps what is served, and says why; once for as long as the reason stays the same.
    async fn refuse(&self, entry: Option<Entry>, why: String, diagnostics: Vec<Diagnostic>) {
        let event = if diagnostics.is_empty() { "config_unreadable" } else { "config_refused" };
        let notice = Notice { message: why.clone(), ..self.notice(event, entry.as_ref()) };
        let refused = Some(Refused { entry, why, diagnostics });
        let previous = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            if state.refused == refused {
                return;
            }
            state.refused = refused;
            state.serving.as_ref().map(|serving| serving.version)
        };
        self.say(Notice { previous, ..notice }).await;
    }

    fn notice(&self, event: &'static str, entry: Option<&Entry>) -> Notice {
        Notice {
            event,
            at: self.ports.clock.now(),
            version: entry.map(|entry| entry.version),
            digest: entry.map(|entry| entry.digest.clone()).unwrap_or_default(),
            ..Notice::default()
        }
    }

    /// The sink owns its retries; what it loses here the administration still shows.
    async fn say(&self, notice: Notice) {
        let _ = self.ports.events.append(Event::Notice(Box::new(notice))).await;
    }
}

/// What diagnostics call the document of a version.
pub(crate) fn source(entry: &Entry) -> String {
    format!("version {}", entry.version)
}

fn said(error: &Error) -> String {
    error.source.clone().unwrap_or_else(|| error.message.clone())
}
