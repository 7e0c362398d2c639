//! Where a request goes: scheme, host and port, parsed once and used as the pool's key.

use std::fmt;

use edgeway_core::error::{Error, ErrorKind, Result};

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    /// Whether the scheme is `https`.
    pub(super) tls: bool,
    /// Name or address; an IPv6 address without its brackets.
    pub(super) host: String,
    /// Port.
    pub(super) port: u16,
}

impl Origin {
    /// The origin of an absolute `http` or `https` URI.
    pub(super) fn of(uri: &http::Uri) -> Result<Self> {
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
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(bad("has no host"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host: host.to_owned(), port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_from_a_uri() {
        for (uri, shown) in [
            ("http://localhost:11434/v1/x", "http://localhost:11434"),
            ("https://api.example.com/v1?x=1", "https://api.example.com:443"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
        ] {
            assert_eq!(Origin::of(&uri.parse().expect("a URI")).expect("an origin").to_string(), shown);
        }
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for uri in ["/v1/x", "ftp://h/x", "https://user:pass@h/x"] {
            assert_eq!(Origin::of(&uri.parse().expect("a URI")).expect_err(uri).kind, ErrorKind::Misconfigured);
        }
    }
}
