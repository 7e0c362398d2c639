//! Making, rotating, revoking and removing keys.
//!
//! A key is an object of its tenant's, but all that a request shows is the key's id. So there is a second object for each
//! key, of nobody's, that says whose it is: its [`Holder`].
//!
//! | what | order of writes | broken off in between |
//! |---|---|---|
//! | make | the key, then its holder | a key that nobody has, and that lets nobody in |
//! | remove | the key, then its holder | an id that leads to no key |
//!
//! Invariant: a key's secret is in the answer to whoever made or rotated it, and nowhere else.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Name;
use super::credential::Credential;
use super::key::{Key, Terms};
use crate::error::{Error, ErrorKind, Result};
use crate::objects::{Conflict, Object, Objects, Stored};
use crate::ports::{Entropy, Secret, Timestamp};

/// Whose the key with this id is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Its tenant; none for the operator's own.
    pub tenant: Option<Name>,
}

impl Object for Holder {
    const KIND: &'static str = "holder";
    const LISTED: bool = false;
}

/// A key whose secret was just made.
pub struct Issued {
    /// The key's id.
    pub id: String,
    /// The key's text, to be shown once.
    pub text: Secret,
    /// The key.
    pub stored: Stored<Key>,
}

/// The keys of a gateway.
pub struct Keys<'a> {
    /// Where they are kept.
    pub objects: &'a Objects,
    /// What their secrets are made of.
    pub entropy: &'a dyn Entropy,
    /// The time.
    pub now: Timestamp,
}

impl Keys<'_> {
    /// Makes a key of a tenant's (none: of the operator's). Fails with `InvalidRequest` for an environment that cannot be one.
    /// `terms` are kept as they are: see [`Terms::wrong`].
    pub async fn create(&self, tenant: Option<&Name>, environment: &str, terms: Terms) -> Result<Issued> {
        let id = Credential::new_id(self.entropy);
        let credential = self.mint(environment, &id)?;
        let key = Key::new(&credential, terms, self.now, self.entropy);
        let created = self.objects.create(tenant, &id, &key).await?;
        let stored = created.map_err(|_| Error::new(ErrorKind::Conflict, "There is a key of this id. Try again."))?;
        let holder = Holder { tenant: tenant.cloned() };
        let held = self.objects.create(None, &id, &holder).await?;
        held.map_err(|_| Error::new(ErrorKind::Conflict, "There is a key of this id. Try again."))?;
        Ok(Issued { id, text: credential.text(), stored })
    }

    /// Gives a key a new secret; the one before stays good for `overlap`. Of version `expected`, or whichever is there.
    pub async fn rotate(
        &self,
        tenant: Option<&Name>,
        id: &str,
        overlap: Duration,
        expected: Option<u64>,
    ) -> Result<Result<Issued, Conflict<Key>>> {
        let Some(Stored { version, value: mut key }) = self.objects.get::<Key>(tenant, id).await? else {
            return Ok(Err(Conflict { current: None }));
        };
        if expected.is_some_and(|expected| expected != version) {
            return Ok(Err(Conflict { current: Some(Stored { version, value: key }) }));
        }
        if key.revoked.is_some() {
            return Err(Error::new(ErrorKind::Conflict, "The key is revoked, for good. Make another."));
        }
        let credential = self.mint(&key.environment, id)?;
        key.rotate(&credential, overlap, self.now, self.entropy);
        let replaced = self.objects.replace(tenant, id, &key, Some(version)).await?;
        Ok(replaced.map(|stored| Issued { id: id.to_owned(), text: credential.text(), stored }))
    }

    /// Ends a key for good. One that is revoked already stays so since when it was.
    pub async fn revoke(
        &self,
        tenant: Option<&Name>,
        id: &str,
        expected: Option<u64>,
    ) -> Result<Result<Stored<Key>, Conflict<Key>>> {
        let Some(stored) = self.objects.get::<Key>(tenant, id).await? else {
            return Ok(Err(Conflict { current: None }));
        };
        if expected.is_some_and(|expected| expected != stored.version) {
            return Ok(Err(Conflict { current: Some(stored) }));
        }
        if stored.value.revoked.is_some() {
            return Ok(Ok(stored));
        }
        let key = Key { revoked: Some(self.now), ..stored.value };
        self.objects.replace(tenant, id, &key, Some(stored.version)).await
    }

    /// Removes a key and what leads to it.
    pub async fn remove(&self, tenant: Option<&Name>, id: &str, expected: Option<u64>) -> Result<Result<(), Conflict<Key>>> {
        if let Err(conflict) = self.objects.remove::<Key>(tenant, id, expected).await? {
            return Ok(Err(conflict));
        }
        // It leads nowhere now; that it was there is no conflict, and that it was not neither.
        let _ = self.objects.remove::<Holder>(None, id, None).await?;
        Ok(Ok(()))
    }

    fn mint(&self, environment: &str, id: &str) -> Result<Credential> {
        let wrong = || Error::invalid("environment", "`environment` is not 1 to 16 of a-z and 0-9.");
        Credential::mint(environment, id, self.entropy).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::*;
    use crate::ports::memory::{ManualClock, MemoryCells, SeededEntropy};

    fn now<T>(work: impl Future<Output = T>) -> T {
        work.now_or_never().expect("memory never waits")
    }

    #[test]
    fn a_key_lives_through_rotation_and_revocation_under_its_tenant_only() {
        let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
        let entropy = SeededEntropy::new(5);
        let objects = Objects::new(Arc::new(MemoryCells::new(clock, 1 << 20)), Arc::new(SeededEntropy::new(6)));
        let keys = Keys { objects: &objects, entropy: &entropy, now: Timestamp(1_000_000) };
        let acme: Name = "acme".parse().expect("a name");
        let other: Name = "other".parse().expect("a name");

        let issued = now(keys.create(Some(&acme), "live", Terms::default())).expect("stored");
        let read = Credential::parse(issued.text.expose()).expect("a key");
        assert_eq!(read.id(), issued.id);
        let holder = now(objects.get::<Holder>(None, &issued.id)).expect("read").expect("there is one");
        assert_eq!(holder.value.tenant, Some(acme.clone()));
        assert!(now(objects.get::<Key>(Some(&other), &issued.id)).expect("read").is_none());

        let wrong = now(keys.rotate(Some(&other), &issued.id, Duration::ZERO, None)).expect("read");
        assert_eq!(wrong.err().expect("not there").current, None);
        let minute = Duration::from_secs(60);
        let stale = now(keys.rotate(Some(&acme), &issued.id, minute, Some(issued.stored.version + 1))).expect("read");
        assert!(stale.err().expect("another version").current.is_some());
        let rotated = now(keys.rotate(Some(&acme), &issued.id, minute, Some(issued.stored.version))).expect("read");
        let rotated = rotated.unwrap_or_else(|_| panic!("its version"));
        let second = Credential::parse(rotated.text.expose()).expect("a key");
        assert!(rotated.stored.value.is_opened_by(&read, keys.now) && rotated.stored.value.is_opened_by(&second, keys.now));

        let revoked = now(keys.revoke(Some(&acme), &issued.id, None)).expect("read").expect("there");
        assert!(!revoked.value.is_good(keys.now));
        assert_eq!(now(keys.revoke(Some(&acme), &issued.id, None)).expect("read").expect("there"), revoked);
        assert!(now(keys.rotate(Some(&acme), &issued.id, minute, None)).is_err(), "a revoked key gets no new secret");

        now(keys.remove(Some(&acme), &issued.id, None)).expect("removed").expect("there");
        assert!(now(objects.get::<Holder>(None, &issued.id)).expect("read").is_none());
        assert!(now(keys.create(Some(&acme), "LIVE", Terms::default())).is_err());
    }
}
