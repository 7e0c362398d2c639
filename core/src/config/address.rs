//! What an address in a document is, as far as its text tells: no name is resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::Uri;

/// Who can be at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// This machine, or a private network: a literal address, or `localhost`.
    Own,
    /// A name that usually belongs to a private network: a single word, `.local`, `.internal`, ...
    Likely,
    /// A cloud's metadata service, which no provider is.
    Metadata,
    /// Anywhere.
    Public,
}

/// Who can be at the host of a URL. `Public` for what is no URL.
pub(super) fn reach(url: &str) -> Reach {
    host_of(url).map_or(Reach::Public, |host| reach_of_host(&host))
}

/// The host of a URL, lower case, without port and brackets.
pub(super) fn host_of(url: &str) -> Option<String> {
    let uri: Uri = url.trim().parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    Some(host.trim_end_matches('.').to_ascii_lowercase())
}

fn reach_of_host(host: &str) -> Reach {
    if let Ok(address) = host.parse::<IpAddr>() {
        return match address {
            _ if is_metadata(address) => Reach::Metadata,
            _ if is_own(address) => Reach::Own,
            _ => Reach::Public,
        };
    }
    if host == "metadata.google.internal" || host == "metadata" {
        return Reach::Metadata;
    }
    if host == "localhost" || host.ends_with(".localhost") {
        return Reach::Own;
    }
    let private = [".local", ".internal", ".lan", ".home.arpa", ".intranet", ".corp", ".svc"];
    if !host.contains('.') || private.iter().any(|suffix| host.ends_with(suffix)) { Reach::Likely } else { Reach::Public }
}

fn is_metadata(address: IpAddr) -> bool {
    const AWS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(v4) => v4 == Ipv4Addr::new(169, 254, 169, 254) || v4 == Ipv4Addr::new(100, 100, 100, 200),
        IpAddr::V6(v6) => v6 == AWS_V6 || v6.to_ipv4_mapped().is_some_and(|v4| is_metadata(v4.into())),
    }
}

fn is_own(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]);
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || shared
        }
        IpAddr::V6(v6) => {
            let mapped = v6.to_ipv4_mapped().is_some_and(|v4| is_own(v4.into()));
            v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local() || mapped
        }
    }
}

/// What is wrong with the URL of a provider: the message and the way out.
pub(super) fn refused_url(url: &str) -> Option<(String, String)> {
    const FORM: &str = "write it like \"https://llm.example.com/v1\"";
    let url = url.trim();
    // `Uri` drops a fragment silently, so it is looked for first.
    if url.contains('#') {
        return Some(("this URL has a fragment (`#...`)".into(), "remove it; Edgeway appends paths to this URL".into()));
    }
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => return Some(("this is no absolute URL".into(), FORM.into())),
    };
    if scheme != "http" && scheme != "https" {
        return Some((format!("`{}://` is not http or https", super::diagnostic::shown(&scheme)), FORM.into()));
    }
    // Before parsing, so that no part of a password reaches a message.
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    if authority.contains('@') {
        let help = "take the part before `@` out; a provider's key is named in `key`, and replace it if this document was shared";
        return Some(("this URL has credentials in it".into(), help.into()));
    }
    if url.contains('?') {
        let help = "remove it; Edgeway appends paths to this URL. A fixed header can be given in `headers`";
        return Some(("this URL has a query (`?...`)".into(), help.into()));
    }
    let Ok(uri) = url.parse::<Uri>() else { return Some(("this is no valid URL".into(), FORM.into())) };
    let host = uri.host().unwrap_or("");
    if host.is_empty() {
        return Some(("this URL has no host".into(), FORM.into()));
    }
    if host.starts_with('[') && host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_err() {
        return Some(("this URL has an invalid IPv6 address".into(), FORM.into()));
    }
    // `Uri` has no port where the text has an invalid one.
    let after_host = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    if let Some((_, port)) = after_host.rsplit_once(':')
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        return Some(("this URL has an invalid port".into(), "write a port from 1 to 65535, or none".into()));
    }
    let path = uri.path().trim_end_matches('/');
    let ends = ["/chat/completions", "/completions", "/messages", ":generateContent", ":streamGenerateContent", "/models"];
    if let Some(end) = ends.iter().find(|end| path.ends_with(*end)) {
        let help = format!("remove `{end}`; Edgeway appends it itself");
        return Some((format!("this URL ends in `{end}`, the path of one operation"), help));
    }
    None
}

/// Where a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listen {
    /// This machine only.
    Loopback,
    /// Other machines can connect.
    Open,
    /// Not an address with a port.
    Invalid,
}

/// Reads `address:port`, with `localhost` as the only name.
pub(super) fn listen(text: &str) -> Listen {
    if let Ok(address) = text.parse::<SocketAddr>() {
        let loopback = match address.ip() {
            IpAddr::V4(v4) => v4.is_loopback(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
        };
        return if loopback { Listen::Loopback } else { Listen::Open };
    }
    match text.rsplit_once(':') {
        Some(("localhost", port)) if port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok() => Listen::Loopback,
        _ => Listen::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_told_from_public_ones() {
        for url in [
            "http://127.0.0.1:1",
            "http://localhost",
            "http://a.localhost/x",
            "http://10.0.0.1",
            "http://[::1]:8",
            "http://[fd00::1]",
        ] {
            assert_eq!(reach(url), Reach::Own, "{url}");
        }
        for url in ["http://ollama:11434", "http://gpu.local", "http://llm.svc.cluster.local"] {
            assert_eq!(reach(url), Reach::Likely, "{url}");
        }
        for url in ["http://169.254.169.254/latest", "http://metadata.google.internal", "http://[::ffff:169.254.169.254]/"] {
            assert_eq!(reach(url), Reach::Metadata, "{url}");
        }
        for url in ["https://api.openai.com/v1", "http://8.8.8.8", "https://localhost.example.com", "not a url"] {
            assert_eq!(reach(url), Reach::Public, "{url}");
        }
    }

    #[test]
    fn urls_that_no_provider_has_are_refused() {
        for (url, part) in [
            ("api.example.com/v1", "no absolute URL"),
            ("ftp://x", "not http or https"),
            ("https://user:pa55@x.example", "credentials"),
            ("https://x.example/v1?a=b", "query"),
            ("https://x.example/v1#a", "fragment"),
            ("https://", "no"),
            ("https://:80/", "no"),
            ("https://x:0/", "port"),
            ("https://x:99999/", "port"),
            ("https://x:/v1", "port"),
            ("https://[zz]/", "IPv6"),
            ("https://x y/", "no valid URL"),
            ("https://x.example/v1/chat/completions", "path of one operation"),
            ("", "no absolute URL"),
        ] {
            let (message, help) = refused_url(url).unwrap_or_else(|| panic!("{url} passes"));
            assert!(message.contains(part) || message.contains("valid"), "{url}: {message}");
            assert!(!help.is_empty() && !message.contains("pa55"));
        }
        for url in ["https://x.example", "http://127.0.0.1:8000/v1/", "HTTPS://x.example/a/b", "https://[::1]:1/v1"] {
            assert_eq!(refused_url(url), None, "{url}");
        }
    }

    #[test]
    fn listening_on_this_machine_is_told_from_listening_to_the_world() {
        for text in ["127.0.0.1:8787", "127.9.9.9:1", "[::1]:0", "localhost:80", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(listen(text), Listen::Loopback, "{text}");
        }
        for text in ["0.0.0.0:80", "[::]:80", "192.168.1.2:80"] {
            assert_eq!(listen(text), Listen::Open, "{text}");
        }
        for text in
            ["", "8787", ":8787", "localhost", "localhost:", "localhost:+1", "example.com:80", "127.0.0.1", "127.0.0.1:99999"]
        {
            assert_eq!(listen(text), Listen::Invalid, "{text}");
        }
    }
}
