//! Virtual keys, as they are kept: everything but their secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds::{self, Wrong};
use super::credential::{Credential, Seal};
use super::{Access, Name};
use crate::objects::Object;
use crate::policy::limit::{Budget, Limits};
use crate::ports::{Entropy, Timestamp};

/// A virtual key. What it is good for is in `terms`; the rest is the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// What it is called in its text, `live` say.
    pub environment: String,
    /// What is kept of its secrets, newest first: one, or two while a rotation overlaps. Never leaves the gateway.
    pub seals: Vec<Seal>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked; for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
    /// What it is good for.
    pub terms: Terms,
}

/// What a key is good for, as whoever makes it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// Its name for people.
    pub title: String,
    /// The team whose it is; that of its application when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<Name>,
    /// The application whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<Name>,
    /// The user in whose name it acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Name>,
    /// What it may do; without a role it may call models, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Name>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Which models, routes and addresses it is good for.
    pub access: Access,
    /// Labels, for limits, budgets and usage by label.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Limits on its requests.
    pub limits: Limits,
    /// Budgets for its requests.
    pub budgets: Vec<Budget>,
    /// Whether answers tell its holder their cost and what is left of its limits and budgets.
    pub informed: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            title: String::new(),
            team: None,
            application: None,
            user: None,
            role: None,
            expires: None,
            access: Access::default(),
            labels: BTreeMap::new(),
            limits: Limits::default(),
            budgets: Vec::new(),
            informed: true,
        }
    }
}

impl Terms {
    /// What cannot be kept.
    pub fn wrong(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        bounds::title(&self.title, &mut wrong);
        bounds::access(&self.access, &mut wrong);
        bounds::labels(&self.labels, &mut wrong);
        bounds::shares(&self.limits, &self.budgets, &mut wrong);
        wrong
    }
}

impl Object for Key {
    const KIND: &'static str = "key";
    const SHARDS: u16 = 16;
}

impl Key {
    /// The environment that a key has when nobody says another.
    pub const ENVIRONMENT: &'static str = "live";

    /// A new key for a credential that was just minted.
    pub fn new(credential: &Credential, terms: Terms, now: Timestamp, entropy: &dyn Entropy) -> Self {
        let seals = vec![credential.seal(entropy)];
        Self { environment: credential.environment().to_owned(), seals, created: now, revoked: None, terms }
    }

    /// Takes a new secret. The one before stays good for `overlap`, one before that ends now.
    pub fn rotate(&mut self, credential: &Credential, overlap: Duration, now: Timestamp, entropy: &dyn Entropy) {
        self.seals.truncate(1);
        for old in &mut self.seals {
            let until = now.plus(overlap);
            old.until = Some(old.until.map_or(until, |sooner| sooner.min(until)));
        }
        if overlap.is_zero() {
            self.seals.clear();
        }
        self.seals.insert(0, credential.seal(entropy));
    }

    /// Whether a credential's secret is this key's. Takes the same work whatever the answer, and whether there is a key:
    /// see [`Credential::opens`].
    pub fn is_opened_by(&self, credential: &Credential, now: Timestamp) -> bool {
        credential.opens(&self.seals, now) && credential.environment() == self.environment
    }

    /// Whether it is neither revoked nor past its end.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.terms.expires.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::memory::SeededEntropy;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn minted(entropy: &SeededEntropy, id: &str) -> Credential {
        Credential::mint("live", id, entropy).expect("plain names")
    }

    #[test]
    fn both_secrets_are_good_while_a_rotation_overlaps() {
        let entropy = SeededEntropy::new(7);
        let [first, second, third] = [0; 3].map(|_| minted(&entropy, "abcdefghijklmnop"));
        let mut key = Key::new(&first, Terms::default(), NOW, &entropy);
        let minute = Duration::from_secs(60);
        key.rotate(&second, minute, NOW, &entropy);
        let just_before = Timestamp(NOW.plus(minute).0 - 1);
        assert!(key.is_opened_by(&first, just_before) && key.is_opened_by(&second, just_before));
        assert!(!key.is_opened_by(&first, NOW.plus(minute)) && key.is_opened_by(&second, NOW.plus(minute)));
        key.rotate(&third, minute, NOW, &entropy);
        assert!(!key.is_opened_by(&first, NOW), "a second rotation ends what the first kept");
        assert!(key.is_opened_by(&second, NOW) && key.is_opened_by(&third, NOW));
        assert_eq!(key.seals.len(), 2);
        key.rotate(&first, Duration::ZERO, NOW, &entropy);
        assert!(key.seals.len() == 1 && key.is_opened_by(&first, NOW) && !key.is_opened_by(&third, NOW));
    }

    #[test]
    fn a_key_is_kept_whole_and_without_its_secret() {
        let entropy = SeededEntropy::new(7);
        let credential = minted(&entropy, "abcdefghijklmnop");
        let terms = Terms { team: Some("search".parse().expect("a name")), expires: Some(NOW), ..Terms::default() };
        let key = Key::new(&credential, terms, NOW, &entropy);
        let kept = serde_json::to_string(&key).expect("a key is JSON");
        assert_eq!(serde_json::from_str::<Key>(&kept).expect("a key"), key);
        let text = credential.text();
        let secret = text.expose().split('_').nth(3).expect("a secret");
        assert!(!kept.contains(secret) && !format!("{key:?}").contains(secret));
        assert!(!format!("{key:?}").contains(&kept[kept.find("mac").expect("a mac") + 6..][..16]), "nor shows its hash");
        assert!(serde_json::from_str::<Key>(&kept.replace("\"created\"", "\"unheard\":1,\"created\"")).is_err());
    }

    #[test]
    fn a_key_ends_when_it_expires_or_is_revoked() {
        let entropy = SeededEntropy::new(7);
        let mut key = Key::new(&minted(&entropy, "abcdefghijklmnop"), Terms::default(), NOW, &entropy);
        assert!(key.is_good(NOW));
        key.terms.expires = Some(NOW.plus(Duration::from_secs(1)));
        assert!(key.is_good(NOW) && !key.is_good(NOW.plus(Duration::from_secs(1))));
        key.revoked = Some(NOW);
        assert!(!key.is_good(NOW));
    }
}
