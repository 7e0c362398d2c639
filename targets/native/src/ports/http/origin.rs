//! Where a request goes: scheme, host and port, and under which rule its address is checked. The pool's key.

use std::fmt;

use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::Network;
use http::uri::Authority;

/// Scheme, host and port. Two requests with the same origin may share a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    /// Whether the scheme is `https`.
    pub(super) tls: bool,
    authority: Authority,
    /// Whether the address must be a public one: a connection that was checked by one rule is not used under another.
    public: bool,
}

impl Origin {
    /// The origin of an absolute `http` or `https` URI.
    pub(super) fn of(uri: &http::Uri, network: Network) -> Result<Self> {
        let bad = |what: &str| {
            Error::new(ErrorKind::Misconfigured, "The provider's address is not one that the gateway can call.")
                .source(format_args!("outbound URI {what}"))
        };
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("is neither http nor https")),
        };
        let authority = uri.authority().ok_or_else(|| bad("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("holds a user name; credentials belong in the provider's key"));
        }
        if authority.host().is_empty() {
            return Err(bad("has no host"));
        }
        Ok(Self { tls, authority: authority.clone(), public: network == Network::Public })
    }

    /// Name or address; an IPv6 address without its brackets.
    pub(super) fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, or the scheme's.
    pub(super) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.tls { 443 } else { 80 })
    }

    /// Host and port as they are written in a `host` field.
    pub(super) fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The rule to check addresses by.
    pub(super) fn network(&self) -> Network {
        if self.public { Network::Public } else { Network::Any }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(uri: &str) -> Result<Origin> {
        Origin::of(&uri.parse().expect("a URI"), Network::Any)
    }

    #[test]
    fn an_origin_is_read_from_a_uri() {
        for (uri, host, port) in [
            ("http://localhost:11434/v1/x", "localhost", 11434),
            ("http://localhost/v1/x", "localhost", 80),
            ("https://api.example.com/v1?x=1", "api.example.com", 443),
            ("http://[::1]:8080/", "::1", 8080),
        ] {
            let origin = origin(uri).expect("an origin");
            assert_eq!((origin.host(), origin.port()), (host, port));
        }
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for uri in ["/v1/x", "ftp://h/x", "https://user:pass@h/x"] {
            assert_eq!(origin(uri).expect_err(uri).kind, ErrorKind::Misconfigured);
        }
    }

    #[test]
    fn a_connection_is_never_shared_across_schemes_ports_or_rules() {
        let base = origin("http://h:1/").expect("an origin");
        assert_eq!(base, origin("http://H:1/other").expect("an origin"));
        assert_ne!(base, origin("https://h:1/").expect("an origin"));
        assert_ne!(base, origin("http://h:2/").expect("an origin"));
        assert_ne!(base, Origin::of(&"http://h:1/".parse().expect("a URI"), Network::Public).expect("an origin"));
    }
}
