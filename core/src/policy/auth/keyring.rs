//! Virtual keys, on the way of every request.
//!
//! | what is shown | what is done |
//! |---|---|
//! | a text that opened a key less than `auth.refresh` ago | one look by its SHA-256 |
//! | a text that was refused less than `auth.refresh` ago | the same |
//! | anything else | the key is found by its id and opened; then all that it names is read: tenant, team, application, user, role |
//!
//! Nobody learns from the words, the work or the time of a refusal whether an id exists: a text that is refused has cost two
//! reads of the store and two comparisons, whatever was known before. So a key that was rotated a moment ago opens at once, too.
//!
//! | what is wrong | answer |
//! |---|---|
//! | malformed, unknown, another secret, expired, revoked; its tenant, team, application or user is suspended or gone | 401, the same words |
//! | the store does not answer, and what is known is older than `auth.grace` | 503 |
//!
//! Invariants: a text is looked up by SHA-256 of the whole of it, never by a part; every map has a bound.

mod bearer;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::try_join;
use sha2::{Digest, Sha256};

use super::known::{Got, Known, Reading, younger};
use super::recent::Recent;
use super::token::Tokens;
use crate::config::Config;
use crate::error::Result;
use crate::identity::{
    Application, Caller, Credential, Holder, Key, Name, Permission, Permissions, Proof, Role, Share, Team, Tenant, User, role,
};
use crate::objects::Objects;
use crate::policy::limit::{Budget, Limits};
use crate::ports::{Clock, Ports, Timestamp};

/// Most keys that are remembered.
const KEYS: usize = 4096;
/// Most objects of each other kind that are remembered.
const OBJECTS: usize = 1024;
/// How long it is remembered whose a key is; that never changes.
const HOLDING: Duration = Duration::from_secs(3600);

/// What one instance knows of virtual keys.
pub(crate) struct Keyring {
    objects: Option<Objects>,
    clock: Arc<dyn Clock>,
    opened: Recent<[u8; 32], Opened>,
    refused: Recent<[u8; 32], Timestamp>,
    holders: Known<Holder>,
    keys: Known<Key>,
    tenants: Known<Tenant>,
    teams: Known<Team>,
    applications: Known<Application>,
    users: Known<User>,
    roles: Known<Role>,
    tokens: Tokens,
    /// When the store last failed, in microseconds.
    failed: AtomicU64,
}

/// A text that opened a key.
#[derive(Clone)]
struct Opened {
    caller: Arc<Caller>,
    /// When the oldest was read of what the caller was made from.
    read: Timestamp,
    /// When the text may no longer open it.
    ends: Option<Timestamp>,
}

impl Keyring {
    pub(crate) fn new(ports: &Ports) -> Self {
        Self {
            objects: Objects::of(ports),
            clock: ports.clock.clone(),
            opened: Recent::new(KEYS),
            refused: Recent::new(KEYS),
            holders: Known::new(KEYS),
            keys: Known::new(KEYS),
            tenants: Known::new(OBJECTS),
            teams: Known::new(OBJECTS),
            applications: Known::new(OBJECTS),
            users: Known::new(OBJECTS),
            roles: Known::new(OBJECTS),
            tokens: Tokens::default(),
            failed: AtomicU64::new(0),
        }
    }

    /// Whose the key is whose text is shown. Fails with `Unauthenticated`, with `Overloaded` while the store is away.
    pub(super) async fn identify(&self, text: &str, config: &Config) -> Result<Caller> {
        let (now, refresh) = (self.clock.now(), config.auth_refresh);
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        if let Some(caller) = self.remembered(&digest, now, refresh) {
            return Ok(caller);
        }
        if self.refused.get(&digest).is_some_and(|at| younger(at, now, refresh)) {
            return Err(super::refused());
        }
        let found = match (&self.objects, Credential::parse(text)) {
            (Some(objects), Some(credential)) => {
                let Self { clock, failed, .. } = self;
                let reading = Reading { objects, clock: &**clock, now, refresh, grace: config.auth_grace, failed };
                self.open(&credential, reading).await?
            }
            _ => None,
        };
        let Some(opened) = found else {
            self.opened.remove(&digest);
            self.refused.put(digest, now);
            return Err(super::refused());
        };
        self.refused.remove(&digest);
        self.opened.put(digest, opened.clone());
        Ok((*opened.caller).clone())
    }

    /// Who has shown the text of that SHA-256 a moment ago.
    fn remembered(&self, digest: &[u8; 32], now: Timestamp, refresh: Duration) -> Option<Caller> {
        let opened = self.opened.get(digest)?;
        let good = younger(opened.read, now, refresh) && opened.ends.is_none_or(|end| now < end);
        good.then(|| (*opened.caller).clone())
    }

    /// Forgets everything: something was changed through this instance.
    pub(crate) fn forget(&self) {
        self.opened.clear();
        self.refused.clear();
        self.holders.clear();
        self.keys.clear();
        self.tenants.clear();
        self.teams.clear();
        self.applications.clear();
        self.users.clear();
        self.roles.clear();
    }

    async fn open(&self, credential: &Credential, reading: Reading<'_>) -> Result<Option<Opened>> {
        let (id, now) = (credential.id(), reading.now);
        let holding = Reading { refresh: if reading.refresh.is_zero() { Duration::ZERO } else { HOLDING }, ..reading };
        let mut holder = self.holders.get(None, id, holding).await?;
        // An id that nobody holds is looked for all the same, where nothing is.
        let mut key = self.keys.get(tenant_of(&holder), id, reading).await?;
        let opens = |holder: &Got<Holder>, key: &Got<Key>| {
            let known = key.object.as_deref().filter(|_| holder.object.is_some());
            known.map_or_else(|| credential.opens(&[], now), |key| key.is_opened_by(credential, now))
        };
        if !opens(&holder, &key) {
            // What was only remembered is read now: each refusal takes two reads, and a secret may be newer than its memory.
            if holder.remembered {
                holder = self.holders.read(None, id, reading).await?;
            }
            if key.remembered {
                key = self.keys.read(tenant_of(&holder), id, reading).await?;
            }
            if !opens(&holder, &key) {
                return Ok(None);
            }
        }
        match key.object {
            Some(object) if object.is_good(now) => self.caller(id, tenant_of(&holder), &object, key.read, reading).await,
            _ => Ok(None),
        }
    }

    /// Who holds a key that was opened, from all that it names. `None` when some of that is suspended or gone.
    async fn caller(
        &self,
        id: &str,
        tenant: Option<&Name>,
        key: &Key,
        read: Timestamp,
        reading: Reading<'_>,
    ) -> Result<Option<Opened>> {
        let terms = &key.terms;
        let own_role = terms.role.as_ref().filter(|name| role::built_in(name.as_str()).is_none());
        let (owner, application, user, own_role) = try_join!(
            named(&self.tenants, None, tenant, reading),
            named(&self.applications, tenant, terms.application.as_ref(), reading),
            named(&self.users, tenant, terms.user.as_ref(), reading),
            named(&self.roles, tenant, own_role, reading),
        )?;
        let team = terms.team.as_ref().or_else(|| application.as_ref()?.object.as_ref()?.team.as_ref());
        let most = user.as_ref().and_then(|user| user.object.as_ref()?.role.as_ref());
        let most_role = most.filter(|name| role::built_in(name.as_str()).is_none());
        let (group, most_role) =
            try_join!(named(&self.teams, tenant, team, reading), named(&self.roles, tenant, most_role, reading))?;

        let allows = |name: Option<&Name>, own: &Option<Got<Role>>| {
            let own = own.as_ref().map(|own| own.object.as_ref().map_or(Permissions::NONE, |role| role.allows()));
            name.and_then(|name| role::built_in(name.as_str()).or(own))
        };
        let held = allows(terms.role.as_ref(), &own_role).unwrap_or_else(|| [Permission::Invoke].into_iter().collect());
        let most = allows(most, &most_role).unwrap_or(Permissions::ALL);
        let permissions = role::within(tenant, held.iter().filter(|one| most.holds(*one)).collect());

        let mut shares = Vec::new();
        let mut oldest = read;
        let place = tenant.map_or("-", Name::as_str);
        share(&mut shares, || format!("key/{id}"), &terms.limits, &terms.budgets);
        if let Some(application) = &application {
            let Some(found) = good(application, |application| application.suspended, &mut oldest) else { return Ok(None) };
            let of = || format!("application/{place}/{}", terms.application.as_ref().map_or("", Name::as_str));
            share(&mut shares, of, &found.limits, &found.budgets);
        }
        if let Some(group) = &group {
            let Some(found) = good(group, |team| team.suspended, &mut oldest) else { return Ok(None) };
            let of = || format!("team/{place}/{}", team.map_or("", Name::as_str));
            share(&mut shares, of, &found.limits, &found.budgets);
        }
        if let Some(owner) = &owner {
            let Some(found) = good(owner, |tenant| tenant.suspended, &mut oldest) else { return Ok(None) };
            share(&mut shares, || format!("tenant/{place}"), &found.limits, &found.budgets);
        }
        if let Some(user) = &user
            && good(user, |user| user.suspended, &mut oldest).is_none()
        {
            return Ok(None);
        }
        for role in own_role.iter().chain(&most_role) {
            oldest = oldest.min(role.read);
        }

        let caller = Caller {
            proof: Proof::Key(id.to_owned()),
            tenant: tenant.cloned(),
            team: team.cloned(),
            application: terms.application.clone(),
            user: terms.user.clone(),
            labels: Arc::new(terms.labels.clone()),
            permissions,
            access: Arc::new(terms.access.clone()),
            shares: shares.into(),
            informed: terms.informed,
            address: None,
        };
        let overlaps = key.seals.iter().filter_map(|seal| seal.until).filter(|until| *until > reading.now);
        let ends = terms.expires.into_iter().chain(overlaps).min();
        Ok(Some(Opened { caller: Arc::new(caller), read: oldest, ends }))
    }
}

fn tenant_of(holder: &Got<Holder>) -> Option<&Name> {
    holder.object.as_ref()?.tenant.as_ref()
}

/// An object that may be named. `None` when none is.
async fn named<T: crate::objects::Object>(
    known: &Known<T>,
    tenant: Option<&Name>,
    name: Option<&Name>,
    reading: Reading<'_>,
) -> Result<Option<Got<T>>> {
    match name {
        Some(name) => known.get(tenant, name.as_str(), reading).await.map(Some),
        None => Ok(None),
    }
}

/// An object that is there and not suspended.
fn good<'a, T>(got: &'a Got<T>, suspended: impl Fn(&T) -> bool, oldest: &mut Timestamp) -> Option<&'a T> {
    *oldest = (*oldest).min(got.read);
    got.object.as_deref().filter(|object| !suspended(object))
}

/// Adds what an object carries, if it carries anything.
fn share(shares: &mut Vec<Share>, of: impl FnOnce() -> String, limits: &Limits, budgets: &[Budget]) {
    let Limits { requests, input_tokens, output_tokens, tokens, concurrency, .. } = limits;
    let free = [requests, input_tokens, output_tokens, tokens].iter().all(|rates| rates.is_empty()) && concurrency.is_none();
    if !free || !budgets.is_empty() {
        shares.push(Share { of: of(), limits: limits.clone(), budgets: budgets.to_vec() });
    }
}

#[cfg(test)]
mod tests;
