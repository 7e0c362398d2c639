//! What a newcomer sees when the server starts: where it is, what is on, and a line to copy.
//!
//! On a terminal a few lines for a person; elsewhere one line, which a script can wait for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use edgeway_core::Config;
use serde_json::json;

use super::output::{Output, Paint, paint};

/// Names of providers that a line shows.
const MOST_NAMES: usize = 8;

/// Says that the server listens, with which configuration, from which file it comes, and where state is kept.
pub(super) fn say(config: &Config, file: Option<&Path>, store: &str, address: SocketAddr, output: &Output) {
    let on: Vec<&str> = config.providers.values().filter(|entry| entry.enabled).map(|entry| entry.row.name.as_ref()).collect();
    let url = url(config, address);
    let version = env!("CARGO_PKG_VERSION");
    if output.json {
        let line = json!({
            "event": "listening",
            "version": version,
            "url": url,
            "providers": on,
            "authentication": config.auth_required,
            "store": store,
            "config": file.map(|path| path.display().to_string()),
        });
        return output.say(&format!("{line}\n"));
    }
    if !output.error_terminal {
        return output.say(&format!(
            "edgeway {version} listens on {url}; providers: {}; {}\n",
            names(&on),
            authentication(config)
        ));
    }
    let dim = |text: &str| paint(output.error_colour, Paint::Dim, text);
    let file = file.map_or_else(|| "none (`edgeway init` writes one)".to_owned(), |path| path.display().to_string());
    let known = format!("({} of {} known; `edgeway providers`)", on.len(), config.providers.len());
    let mut text = format!(
        "\n  {} {version}  {}\n\n",
        paint(output.error_colour, Paint::Bold, "Edgeway"),
        paint(output.error_colour, Paint::Cyan, &url)
    );
    for (label, value) in [
        ("providers", format!("{} {}", names(&on), dim(&known))),
        ("config", file),
        ("store", store.to_owned()),
        ("keys", authentication(config)),
    ] {
        text.push_str(&format!("  {} {value}\n", dim(&format!("{label:<10}"))));
    }
    text.push_str(&format!("\n  {}\n{}\n", dim("Try it, no key needed:"), curl(config, &url)));
    output.say(&text);
}

fn names(on: &[&str]) -> String {
    match on.len().checked_sub(MOST_NAMES) {
        None | Some(0) => on.join(", "),
        Some(more) => format!("{} and {more} more", on[..MOST_NAMES].join(", ")),
    }
}

fn authentication(config: &Config) -> String {
    match config.auth_keys.len() {
        0 if !config.issuers.is_empty() => "callers need a token of a configured issuer, or a virtual key".to_owned(),
        0 if config.auth_required => "callers need a virtual key".to_owned(),
        0 => "no authentication configured: loopback only".to_owned(),
        1 => "callers need the gateway's key".to_owned(),
        keys => format!("callers need one of {keys} keys"),
    }
}

/// An address that the person who reads it can open.
fn url(config: &Config, address: SocketAddr) -> String {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", SocketAddr::new(host, address.port()))
}

fn curl(config: &Config, url: &str) -> String {
    let key = config.auth_keys.first().map(|name| format!(" -H \"authorization: Bearer ${name}\"")).unwrap_or_default();
    format!(
        "  curl {url}/v1/chat/completions{key} -H 'content-type: application/json' \\\n    -d '{{\"model\": \"demo/echo\", \"messages\": \
         [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'\n"
    )
}
