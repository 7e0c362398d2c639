//! Spin's rule for outbound hosts: `allowed_outbound_hosts = ["https://api.example.com", "http://*.internal:8080..8090"]`.

use anyhow::{Context as _, bail};

/// A pattern of hosts.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    scheme: Option<String>,
    host: Host,
    /// First and last port; `None` for any.
    ports: Option<(u16, u16)>,
}

#[derive(Clone, Debug)]
enum Host {
    Any,
    /// Any name that ends so.
    Below(String),
    Exactly(String),
}

impl Pattern {
    /// Reads a pattern.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let (scheme, rest) = text.split_once("://").with_context(|| format!("`{text}` has no scheme"))?;
        if rest.contains('/') {
            bail!("`{text}` has a path; a host is a scheme, a name and a port");
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let number = |text: &str| text.parse::<u16>().with_context(|| format!("`{text}` is no port"));
        let ports = match (port, scheme) {
            (Some("*"), _) | (None, "*") => None,
            (Some(range), _) => match range.split_once("..") {
                Some((first, last)) => Some((number(first)?, number(last)?.saturating_sub(1))),
                None => Some((number(range)?, number(range)?)),
            },
            (None, "http") => Some((80, 80)),
            (None, "https") => Some((443, 443)),
            (None, other) => bail!("`{text}`: a host with the scheme {other} needs a port"),
        };
        let host = match host.strip_prefix('*') {
            Some("") => Host::Any,
            Some(below) if below.starts_with('.') => Host::Below(below.to_ascii_lowercase()),
            Some(_) => bail!("`{text}`: a wildcard stands for whole labels"),
            None if host.contains('*') => bail!("`{text}`: a wildcard stands at the beginning"),
            None => Host::Exactly(host.to_ascii_lowercase()),
        };
        Ok(Self { scheme: (scheme != "*").then(|| scheme.to_owned()), host, ports })
    }

    /// Whether a request to `uri` is allowed.
    pub(crate) fn allows(&self, uri: &http::Uri) -> bool {
        let scheme = uri.scheme_str().unwrap_or("https");
        let port = uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
        let host = uri.host().unwrap_or("").to_ascii_lowercase();
        self.scheme.as_deref().is_none_or(|wanted| wanted == scheme)
            && self.ports.is_none_or(|(first, last)| (first..=last).contains(&port))
            && match &self.host {
                Host::Any => true,
                Host::Below(suffix) => host.ends_with(suffix.as_str()),
                Host::Exactly(name) => host == *name,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_allowed_by_scheme_name_and_port() {
        #[rustfmt::skip]
        let cases = [
            ("https://api.example.com", "https://api.example.com/v1", true),
            ("https://api.example.com", "http://api.example.com/v1", false),
            ("https://api.example.com", "https://api.example.com:8443/v1", false),
            ("https://api.example.com", "https://API.example.com/v1", true),
            ("https://*.example.com", "https://a.b.example.com/", true),
            ("https://*.example.com", "https://example.com/", false),
            ("http://127.0.0.1:*", "http://127.0.0.1:4711/", true),
            ("http://127.0.0.1:8000..8002", "http://127.0.0.1:8001/", true),
            ("http://127.0.0.1:8000..8002", "http://127.0.0.1:8002/", false),
            ("http://[::1]:80", "http://[::1]/", true),
            ("*://*:*", "https://anything.example:1/", true),
        ];
        for (pattern, uri, allowed) in cases {
            let read = Pattern::parse(pattern).expect(pattern);
            assert_eq!(read.allows(&uri.parse().expect("a URI")), allowed, "{pattern} {uri}");
        }
        for bad in ["api.example.com", "https://a/path", "redis://a", "https://a*.com", "https://a:x"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
