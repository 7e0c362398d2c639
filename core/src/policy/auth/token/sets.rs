//! The keys of issuers as far as they are known, and when to ask again.
//!
//! | what is known | what happens |
//! |---|---|
//! | the key, and the set is younger than `refresh` | it is used |
//! | the key, and the set is older | the issuer is asked; while it does not answer, the key is used up to `grace` |
//! | the set, not the key | the issuer is asked: it may have a new one |
//! | nothing | the issuer is asked; while it does not answer, 503 |
//!
//! An issuer is asked at most once in [`PAUSE`], whatever tokens come: by one instance, and by all of them together where they
//! share cells, in which the sets are kept as well. Who comes while somebody asks waits for that answer.
//!
//! Invariant: at most [`MOST`] sets are held, of at most [`super::jwk::MOST_KEYS`] keys each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::algorithm::Algorithm;
use super::issuer;
use super::jwk::{Jwk, KeySet};
use crate::config::{Issuer, KeySource};
use crate::exchange::Notice;
use crate::objects::{Object, Objects};
use crate::ports::{Event, Ports, Timestamp};

/// The shortest time between two questions to one issuer.
pub(super) const PAUSE: Duration = Duration::from_secs(30);
/// After which a question has failed that nobody says the end of.
const PATIENCE: Duration = Duration::from_secs(15);
/// When an issuer may be asked again after a question whose asker went away before its answer.
const ABANDONED: Duration = Duration::from_secs(2);
/// How often what other instances have found out is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How often a request that waits for another's question looks whether it is answered.
const NAP: Duration = Duration::from_millis(50);
/// How far the clocks of two instances may be apart.
const SKEW: Duration = Duration::from_secs(60);
/// Most issuers whose keys are held: those of a configuration, and of the one before it.
const MOST: usize = 64;

/// The keys that are known.
#[derive(Default)]
pub(super) struct KeySets {
    held: Mutex<BTreeMap<String, Held>>,
}

/// What is known of one issuer's keys.
#[derive(Clone, Default)]
struct Held {
    keys: Option<Arc<KeySet>>,
    /// When the keys were fetched.
    fetched: Timestamp,
    /// When the issuer was asked last.
    asked: Option<Timestamp>,
    /// Whether that question has no answer yet.
    open: bool,
    /// When the shared object was looked at, and the version that was found.
    looked: Option<Timestamp>,
    version: Option<u64>,
    /// The version that holds a question of this instance which was abandoned.
    abandoned: Option<u64>,
}

/// What instances share of one issuer's keys.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Shared {
    asked: Timestamp,
    open: bool,
    fetched: Timestamp,
    keys: Vec<Jwk>,
}

impl Object for Shared {
    const KIND: &'static str = "issuer";
    /// Longer than any grace.
    const KEPT: Option<Duration> = Some(Duration::from_secs(8 * 24 * 60 * 60));
}

/// Why there is no key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The issuer has none of that name that signs so.
    Unknown,
    /// Nobody knows: the issuer does not answer, and nothing recent enough is known. Why, and when to try again.
    Away(String, Duration),
}

impl KeySets {
    /// A set in which [`KeySet::find`] finds the key.
    pub(super) async fn find(
        &self,
        issuer: &Issuer,
        kid: Option<&str>,
        algorithm: Algorithm,
        ports: &Ports,
    ) -> Result<Arc<KeySet>, Missing> {
        let hand = Hand { sets: self, issuer, ports, id: id(issuer), objects: Objects::of(ports) };
        let begun = ports.clock.now();
        let mut why = None;
        loop {
            let mut now = ports.clock.now();
            let mut held = self.read(&hand.id);
            if let Some(keys) = held.good(kid, algorithm, now, issuer.refresh) {
                return Ok(keys);
            }
            if held.looked.is_none_or(|looked| passed(looked, now, LOOK)) {
                held = hand.look(now).await;
                if let Some(keys) = held.good(kid, algorithm, now, issuer.refresh) {
                    return Ok(keys);
                }
            }
            if held.may_ask(now) {
                match hand.ask(now).await {
                    Asked::Answered => {}
                    Asked::Failed(reason) => why = Some(reason),
                    Asked::ByAnother => continue,
                }
                (held, now) = (self.read(&hand.id), ports.clock.now());
            }
            if let Some(keys) = held.good(kid, algorithm, now, issuer.grace) {
                return Ok(keys);
            }
            let waiting = held.open && held.asked.is_some_and(|asked| now.since(asked) < PATIENCE);
            if waiting && now.since(begun) < PATIENCE {
                ports.clock.sleep(NAP).await;
                continue;
            }
            return Err(match &held.keys {
                Some(_) if !passed(held.fetched, now, issuer.grace) => Missing::Unknown,
                _ => {
                    let again = held.asked.map_or(PAUSE, |asked| PAUSE.saturating_sub(now.since(asked)));
                    Missing::Away(why.unwrap_or_else(|| "it was asked a moment ago, in vain".to_owned()), again)
                }
            });
        }
    }

    /// How many issuers' keys are held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, id: &str) -> Held {
        self.lock().get(id).cloned().unwrap_or_default()
    }

    /// Changes what is held of one issuer. Beyond [`MOST`], the one that was asked longest ago is forgotten.
    fn change<T>(&self, id: &str, change: impl FnOnce(&mut Held) -> T) -> T {
        let mut all = self.lock();
        if !all.contains_key(id) && all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, held)| held.asked).map(|(id, _)| id.clone());
            oldest.map(|id| all.remove(&id));
        }
        change(all.entry(id.to_owned()).or_default())
    }
}

impl Held {
    /// The keys, if they are younger than `age` and have the one that is looked for.
    fn good(&self, kid: Option<&str>, algorithm: Algorithm, now: Timestamp, age: Duration) -> Option<Arc<KeySet>> {
        let keys = self.keys.as_ref().filter(|_| !passed(self.fetched, now, age))?;
        keys.find(kid, algorithm).map(|_| keys.clone())
    }

    fn may_ask(&self, now: Timestamp) -> bool {
        self.asked.is_none_or(|asked| passed(asked, now, PAUSE))
    }

    /// Takes over what another instance has found out.
    fn adopt(&mut self, shared: &Shared, version: u64) {
        if self.version == Some(version) {
            return;
        }
        self.version = Some(version);
        if self.abandoned != Some(version) {
            (self.asked, self.open) = (Some(shared.asked), shared.open);
        }
        if shared.fetched > self.fetched || self.keys.is_none() && shared.fetched > Timestamp(0) {
            self.keys = Some(Arc::new(KeySet::of(shared.keys.iter().cloned())));
            self.fetched = shared.fetched;
        }
    }

    fn shared(&self) -> Shared {
        let keys = self.keys.as_ref().map(|keys| keys.published().to_vec()).unwrap_or_default();
        Shared { asked: self.asked.unwrap_or_default(), open: self.open, fetched: self.fetched, keys }
    }
}

/// What came of asking.
enum Asked {
    Answered,
    Failed(String),
    ByAnother,
}

/// One request's hand on one issuer's keys.
struct Hand<'a> {
    sets: &'a KeySets,
    issuer: &'a Issuer,
    ports: &'a Ports,
    id: String,
    objects: Option<Objects>,
}

impl Hand<'_> {
    /// Looks at what other instances have found out. A store that is away says nothing.
    async fn look(&self, now: Timestamp) -> Held {
        let found = match &self.objects {
            Some(objects) => objects.get::<Shared>(None, &self.id).await.ok().flatten(),
            None => None,
        };
        self.sets.change(&self.id, |held| {
            held.looked = Some(now);
            if let Some(found) = found {
                held.adopt(&found.value, found.version);
            }
            held.clone()
        })
    }

    /// Asks the issuer, unless somebody else has begun to.
    async fn ask(&self, now: Timestamp) -> Asked {
        let claimed = self.sets.change(&self.id, |held| {
            let free = held.may_ask(now);
            if free {
                (held.asked, held.open) = (Some(now), true);
            }
            free.then(|| held.clone())
        });
        let Some(claimed) = claimed else { return Asked::ByAnother };
        let mut question = Question { hand: self, answered: false };
        if !self.claim(&claimed).await {
            question.answered = true;
            return Asked::ByAnother;
        }
        let fetched = issuer::fetch(self.issuer, self.ports).await;
        question.answered = true;
        let at = self.ports.clock.now();
        let (held, why) = self.sets.change(&self.id, |held| {
            held.open = false;
            let why = fetched.map(|keys| (held.keys, held.fetched) = (Some(Arc::new(keys)), at)).err();
            (held.clone(), why)
        });
        // What cannot be shared is fetched by the others as well.
        if let (Some(objects), Some(version)) = (&self.objects, held.version)
            && let Ok(Ok(stored)) = objects.replace(None, &self.id, &held.shared(), Some(version)).await
        {
            self.sets.change(&self.id, |held| held.version = Some(stored.version));
        }
        match why {
            None => Asked::Answered,
            Some(why) => {
                self.say(&why, at).await;
                Asked::Failed(why)
            }
        }
    }

    /// Tells the other instances that this one asks. False when one of them has been faster. A store that is away does not keep
    /// anybody from asking.
    async fn claim(&self, claimed: &Held) -> bool {
        let Some(objects) = &self.objects else { return true };
        let shared = claimed.shared();
        let faster = match claimed.version {
            None => match objects.create(None, &self.id, &shared).await {
                Ok(Ok(stored)) => Ok(stored.version),
                Ok(Err(exists)) => Err(Some(exists.0)),
                Err(_) => return true,
            },
            Some(version) => match objects.replace(None, &self.id, &shared, Some(version)).await {
                Ok(Ok(stored)) => Ok(stored.version),
                Ok(Err(conflict)) => Err(conflict.current),
                Err(_) => return true,
            },
        };
        self.sets.change(&self.id, |held| match faster {
            Ok(version) => {
                held.version = Some(version);
                true
            }
            Err(Some(other)) => {
                held.adopt(&other.value, other.version);
                false
            }
            // It has gone by itself: the next one begins anew.
            Err(None) => {
                held.version = None;
                true
            }
        })
    }

    /// An alarm for the operator; as often as the issuer is asked at most.
    async fn say(&self, why: &str, at: Timestamp) {
        let message = format!("auth.issuers.{}: {why}", self.issuer.name);
        let notice = Notice { event: "issuer_unavailable", at, message, ..Notice::default() };
        let _ = self.ports.events.append(Event::Notice(Box::new(notice))).await;
    }
}

/// A question on its way. Dropped before its answer (its caller went away), it makes room for another soon.
struct Question<'a> {
    hand: &'a Hand<'a>,
    answered: bool,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.hand.sets.change(&self.hand.id, |held| {
                held.open = false;
                held.abandoned = held.version;
                held.asked = held.asked.map(|asked| Timestamp(asked.0.saturating_sub(micros(PAUSE.saturating_sub(ABANDONED)))));
            });
        }
    }
}

/// Whether `duration` has passed since `from`. A clock that was set back says nothing, so then it has; clocks of instances differ
/// a little, which is not that.
fn passed(from: Timestamp, now: Timestamp, duration: Duration) -> bool {
    now.since(from) >= duration || from.since(now) > SKEW
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Names an issuer's keys: issuers of one name whose keys come from one place share them.
fn id(issuer: &Issuer) -> String {
    let from = match &issuer.keys {
        KeySource::At(address) => address,
        _ => "",
    };
    let digest = Sha256::digest(format!("{}\n{from}", issuer.url));
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
