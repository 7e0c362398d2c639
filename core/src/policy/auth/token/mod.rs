//! Tokens: JSON Web Tokens of issuers that the configuration names (RFC 7519, RFC 8725).
//!
//! | file | what it holds |
//! |---|---|
//! | `jws.rs` | a token's form |
//! | `algorithm.rs`, `jwk.rs` | keys, and what they check |
//! | `claims.rs` | what a token says: when and where it is good, and of whom it speaks |
//! | `issuer.rs`, `sets.rs` | asking issuers for their keys, and remembering them |
//!
//! What a token says is believed in this order: its form; which of the configured issuers it names, and whether it is for this
//! gateway; its signature, by that issuer's key; its times; its claims. Until the signature is checked, nothing of it chooses
//! more than one of the configuration's own entries and one of that issuer's keys.
//!
//! Invariant: why a token is not good is the operator's to know; its caller hears what everybody hears.

mod algorithm;
mod claims;
mod issuer;
mod jwk;
mod jws;
mod sets;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use std::fmt;

pub use algorithm::Algorithm;
pub use claims::Bearer;

use claims::Claims;
use jwk::Key;
use jws::Jws;
use sets::{KeySets, Missing};

use crate::config::{Config, Issuer, KeySource};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::Ports;

/// The shortest secret that signs tokens, in bytes (RFC 7518, 3.2).
const SHORTEST_SECRET: usize = 32;

/// Checks tokens. One for each gateway: it remembers the issuers' keys.
#[derive(Default)]
pub struct Tokens {
    sets: KeySets,
}

impl Tokens {
    /// Whether a credential can be a token rather than a key: a header that is a JSON object, then two more parts.
    pub fn looks_like(credential: &str) -> bool {
        credential.starts_with("eyJ") && credential.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Who holds a token. Fails with `Unauthenticated` for whatever is not good, `PermissionDenied` for a good one that says too
    /// little, and `Overloaded` when its issuer's keys cannot be had now.
    pub async fn verify(&self, token: &str, ports: &Ports, config: &Config) -> Result<Bearer> {
        let jws = Jws::read(token).map_err(refused)?;
        let claims = Claims::read(&jws.payload).map_err(refused)?;
        let issuer = meant(&claims, config)?;
        if !issuer.algorithms.contains(&jws.algorithm) {
            return Err(refused("it is signed in a way that `algorithms` does not have"));
        }
        if !self.is_signed(&jws, issuer, ports).await? {
            return Err(refused("its signature is not its issuer's"));
        }
        claims.check_time(ports.clock.now(), issuer.leeway).map_err(refused)?;
        claims.bearer(issuer)
    }

    async fn is_signed(&self, jws: &Jws<'_>, issuer: &Issuer, ports: &Ports) -> Result<bool> {
        if let KeySource::Secret(name) = &issuer.keys {
            let secret = ports.secrets.secret(name).await?.filter(|secret| secret.expose().len() >= SHORTEST_SECRET);
            let secret = secret.ok_or_else(|| {
                let source = format!("the secret `{name}` of auth.issuers.{} is not set, or shorter than 32 bytes", issuer.name);
                away(source).retry_after(None)
            })?;
            return Ok(Key::secret(secret).verifies(jws.algorithm, jws.signed, &jws.signature));
        }
        let kid = jws.kid.as_deref();
        let keys = self.sets.find(issuer, kid, jws.algorithm, ports).await.map_err(|missing| match missing {
            Missing::Unknown => refused("its issuer has no key of that name that signs so"),
            Missing::Away(why, again) => away(format!("auth.issuers.{}: {why}", issuer.name)).retry_after(Some(again)),
        })?;
        Ok(keys.find(kid, jws.algorithm).is_some_and(|key| key.verifies(jws.algorithm, jws.signed, &jws.signature)))
    }
}

/// The one issuer that a token names, and of whose audience the gateway is.
fn meant<'a>(claims: &Claims, config: &'a Config) -> Result<&'a Issuer> {
    let named = claims.issuer().ok_or_else(|| refused("it names no issuer"))?;
    let mut issuers = config.issuers.iter().filter(|issuer| issuer.url == named).peekable();
    if issuers.peek().is_none() {
        return Err(refused("it is of no issuer that is configured"));
    }
    let mut meant = issuers.filter(|issuer| claims.is_for(&issuer.audience));
    match (meant.next(), meant.next()) {
        (Some(issuer), None) => Ok(issuer),
        (None, _) => Err(refused("it is for somebody else")),
        (Some(_), Some(_)) => Err(refused("it is for two of the configured issuers at once")),
    }
}

/// A token that is not good, for whatever reason.
fn refused(why: impl fmt::Display) -> Error {
    super::refused().source(format_args!("a token: {why}"))
}

/// A token that nobody can check now.
fn away(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Overloaded, "The gateway cannot check this token right now. Try again in a moment.").source(why)
}
