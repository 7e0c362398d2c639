//! Authentication: whose request is it, and what may it ask for?
//!
//! | file | what it holds |
//! |---|---|
//! | `presented.rs` | the one key or token that a request shows |
//! | `secrets.rs` | keys that are secrets, named in the configuration |
//! | `keyring.rs` | virtual keys, and who holds them |
//! | `token/` | tokens of issuers, and their keys |
//! | `known.rs`, `recent.rs` | what an instance remembers, and for how long |
//! | `reach.rs` | which of what there is a caller may have |
//!
//! | what a request shows | who sent it |
//! |---|---|
//! | the key in a secret of `auth.keys` (of `admin.keys`, at the administration) | the operator's own, who may call models (may do everything) |
//! | a virtual key | its holder, who may do what its role allows |
//! | a token of one of `auth.issuers` | its holder, who may do what its roles allow, as far as its issuer may say so |
//! | nothing, at a chat endpoint, while a route is `anonymous` | nobody, who reaches such routes only |
//! | nothing, or what nobody knows, while `auth.required` is off | nobody, who reaches everything; from this machine only |
//! | anything else | 401 |
//!
//! Invariant: whatever is wrong with a key (unknown, malformed, expired, revoked, of a tenant that is gone), its holder reads
//! the same words.

mod keyring;
mod known;
mod presented;
mod reach;
mod recent;
mod secrets;
pub mod token;

use std::net::IpAddr;

use http::request::Parts;

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::{Caller, Credential, Permission, Permissions, Proof};
use crate::ports::Ports;

use token::Tokens;

pub(crate) use keyring::Keyring;
pub(crate) use reach::{is_anonymous, is_restricted, plan};

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Where models are called.
    Calls {
        /// Whether who shows nothing may go on, to a route that lets anybody in.
        anonymous: bool,
    },
    /// Where the gateway is administered.
    Administration,
}

/// A request whose author is to be known.
pub(crate) struct Visit<'a> {
    pub(crate) parts: &'a Parts,
    /// Where it comes from, if the platform knows.
    pub(crate) address: Option<IpAddr>,
    pub(crate) door: Door,
    pub(crate) config: &'a Config,
    pub(crate) ports: &'a Ports,
    pub(crate) keyring: &'a Keyring,
}

impl Visit<'_> {
    /// Who it is. Fails with `Unauthenticated`, and with `PermissionDenied` for an address that is not the key's.
    pub(crate) async fn identify(&self) -> Result<Caller> {
        let caller = Caller { address: self.address, ..self.find().await? };
        let from = &caller.access.addresses;
        if from.is_empty() || self.address.is_some_and(|address| from.iter().any(|network| network.contains(address))) {
            return Ok(caller);
        }
        let message = match self.address {
            Some(address) => format!("This key is not for use from {address}. Use it from where it was made for."),
            None => "This key is for certain addresses, and the gateway does not know where the request is from.".to_owned(),
        };
        Err(Error::new(ErrorKind::PermissionDenied, message))
    }

    /// Whoever shows the secret with which the first administrator is made.
    pub(crate) async fn bootstrap(&self) -> Result<Caller> {
        let Some(name) = &self.config.bootstrap else { return Err(refused()) };
        let shown = presented::presented(self.parts)?;
        match secrets::find(shown.as_deref(), std::slice::from_ref(name), &*self.ports.secrets).await? {
            Some(name) => Ok(Caller { proof: Proof::Secret(name.to_owned()), address: self.address, ..Caller::default() }),
            None if shown.is_none() => Err(missing()),
            None => Err(refused()),
        }
    }

    async fn find(&self) -> Result<Caller> {
        let config = self.config;
        let (names, permissions) = match self.door {
            Door::Calls { .. } => (&config.auth_keys, invoke()),
            Door::Administration => (&config.admin_keys, Permissions::ALL),
        };
        let shown = presented::presented(self.parts)?;
        if let Some(name) = secrets::find(shown.as_deref(), names, &*self.ports.secrets).await? {
            let proof = Proof::Secret(name.to_owned());
            return Ok(Caller { proof, permissions, informed: true, ..Caller::default() });
        }
        if let Some(key) = shown.as_deref().filter(|key| Credential::looks_like(key)) {
            return self.keyring.identify(key, config).await;
        }
        if let Some(token) = shown.as_deref().filter(|token| !config.issuers.is_empty() && Tokens::looks_like(token)) {
            return self.keyring.bearer(token, config, self.ports).await;
        }
        let nobody = || Caller { permissions: invoke(), ..Caller::default() };
        match (&shown, self.door) {
            (_, Door::Calls { .. }) if !config.auth_required => named_by_address(self.parts).map(|()| nobody()),
            (None, Door::Calls { anonymous: true }) => Ok(nobody()),
            (None, _) => Err(missing()),
            (Some(_), _) => Err(refused()),
        }
    }
}

/// Whether the request shows something of its tenant's or issuer's, and not of the operator's configuration.
pub(crate) fn shows_virtual_key(parts: &Parts) -> bool {
    presented::presented(parts).is_ok_and(|shown| shown.is_some_and(|key| Credential::looks_like(&key)))
}

/// Whether a caller may do something. Fails with `PermissionDenied`.
pub(crate) fn demand(caller: &Caller, permission: Permission) -> Result<()> {
    if caller.permissions.holds(permission) {
        return Ok(());
    }
    let message = format!("This key may not do that: it needs `{permission}`. Ask whoever gave it to you.");
    Err(Error::new(ErrorKind::PermissionDenied, message))
}

/// What everybody reads whose key or token is not good, whatever is wrong with it.
pub(crate) fn refused() -> Error {
    Error::new(ErrorKind::Unauthenticated, "The API key is not valid for this gateway.")
}

fn missing() -> Error {
    let message = "No API key. Send it as `Authorization: Bearer KEY`, `x-api-key: KEY` or `x-goog-api-key: KEY`.";
    Error::new(ErrorKind::Unauthenticated, message)
}

/// What the operator's own keys may do, and nobody where nobody needs a key.
fn invoke() -> Permissions {
    [Permission::Invoke].into_iter().collect()
}

/// Without keys only requests that name the gateway by an address or as `localhost` are served: a page in a
/// browser on the gateway's machine can make a name of its own lead there (DNS rebinding), but no address.
fn named_by_address(parts: &Parts) -> Result<()> {
    let header = || parts.headers.get(http::header::HOST).map(|host| host.to_str().unwrap_or("?"));
    let Some(authority) = parts.uri.authority().map(|authority| authority.as_str()).or_else(header) else { return Ok(()) };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_matches(['[', ']']);
    let local = host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok();
    if local {
        return Ok(());
    }
    let message = "Without `auth.keys` this gateway serves only requests to an address or to localhost. \
                   Ask for it so, or configure keys.";
    Err(Error::new(ErrorKind::PermissionDenied, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("test requests are well formed").into_parts().0
    }

    #[test]
    fn without_keys_the_gateway_has_no_name_but_localhost() {
        for host in ["127.0.0.1:8787", "localhost", "LOCALHOST:1", "[::1]:8787", "[::1]", "10.0.0.7"] {
            assert!(named_by_address(&parts("/", &[("host", host)])).is_ok(), "{host}");
        }
        for host in ["evil.example", "evil.example:8787", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
            let refused = named_by_address(&parts("/", &[("host", host)])).expect_err(host);
            assert_eq!(refused.kind, ErrorKind::PermissionDenied);
        }
        assert!(named_by_address(&parts("http://evil.example/v1/models", &[("host", "localhost")])).is_err());
    }
}
