//! Where a native gateway keeps its state, as one line: `memory`, `file:PATH` or `redis://HOST:PORT/DB`.
//!
//! Invariants: what [`Display`](fmt::Display) writes is read as the same choice; a password in a URL is refused and never
//! repeated in a message.

use std::fmt;

use http::Uri;
use serde::{Serialize, Serializer};

use super::diagnostic::{Report, nearest, shown};
use super::node::{Node, Value};
use super::path::Path;
use super::shape::{Kind, Shape, mistyped};

/// Where a native gateway keeps its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreChoice {
    /// In the process: gone when it ends.
    Memory,
    /// In a folder of this machine, for one process.
    File(String),
    /// In Redis, for any number of instances.
    Redis(RedisAddress),
}

/// Where a Redis server is, and what of it belongs to this gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisAddress {
    /// Whether to connect with TLS.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The access-control user; Redis calls the one without a name `default`.
    pub user: Option<String>,
    /// Number of the database.
    pub database: u32,
    /// What the gateway's keys begin with; gateways that share a prefix share their state.
    pub prefix: String,
}

/// The names that a choice can begin with.
const SCHEMES: [&str; 4] = ["memory", "file", "redis", "rediss"];
/// Every form, for help.
const FORMS: &str = "write \"memory\", \"file:PATH\" or \"redis://HOST:PORT/DB\" (`rediss://` with TLS)";
const DEFAULT_PORT: u16 = 6379;
const DEFAULT_PREFIX: &str = "edgeway";

/// What is wrong, and the way out.
type Refusal = (String, String);

fn choice(text: &str) -> Result<StoreChoice, Refusal> {
    let text = text.trim();
    let (scheme, rest) = text.split_once(':').map_or((text, None), |(scheme, rest)| (scheme, Some(rest)));
    match (scheme, rest) {
        ("memory", None) => Ok(StoreChoice::Memory),
        ("file", Some(path)) => match path.strip_prefix("//").unwrap_or(path) {
            "" => {
                Err(("`file:` names no folder".into(), "write one, like \"file:.edgeway\" or \"file:/var/lib/edgeway\"".into()))
            }
            path => Ok(StoreChoice::File(path.to_owned())),
        },
        ("redis" | "rediss", Some(_)) => redis(text).map(StoreChoice::Redis),
        ("memory" | "file" | "redis" | "rediss", _) => Err((format!("`{}` is no store", shown(text)), FORMS.into())),
        _ => {
            // Only the scheme is shown: what follows may hold a password.
            let help = match nearest(scheme, SCHEMES).first() {
                Some(near) => format!("did you mean `{near}`? {FORMS}"),
                None => FORMS.into(),
            };
            Err((format!("`{}` is no store that Edgeway knows", shown(scheme)), help))
        }
    }
}

fn redis(text: &str) -> Result<RedisAddress, Refusal> {
    let form = || "write it like \"redis://127.0.0.1:6379/0\"".to_owned();
    let password = || {
        (
            "this URL holds a password".to_owned(),
            "name the secret that holds it in `store_password`, and replace the password if this document was ever shared"
                .to_owned(),
        )
    };
    let rest = text.split_once("://").ok_or_else(|| ("this is no URL".to_owned(), form()))?.1;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // The last `@` ends the credentials, whatever characters a password has.
    if rest.rsplit_once('@').is_some_and(|(credentials, _)| credentials.contains(':')) {
        return Err(password());
    }
    let user = authority.rsplit_once('@').map(|(user, _)| user.to_owned()).filter(|user| !user.is_empty());
    let uri: Uri = text.parse().map_err(|_| ("this is no URL".to_owned(), form()))?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(("this URL names no host".into(), form()));
    }
    if uri.port().is_none() && uri.authority().is_some_and(|authority| authority.as_str().ends_with(':')) {
        return Err(("this URL has a `:` and no port".into(), form()));
    }
    let database = match uri.path().trim_matches('/') {
        "" => 0,
        number => number.parse().map_err(|_| {
            (
                format!("`{}` is not the number of a database", shown(number)),
                "write a number after the last `/`, usually 0".to_owned(),
            )
        })?,
    };
    let mut prefix = DEFAULT_PREFIX;
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("prefix", value)) if !value.is_empty() && value.bytes().all(is_plain) => prefix = value,
            Some(("prefix", _)) => {
                return Err(("this prefix is empty or has other characters than letters, digits, `_`, `-`, `.`".into(), form()));
            }
            _ => {
                let name = pair.split('=').next().unwrap_or_default();
                return Err((format!("`{}` is no setting of this URL", shown(name)), "the only one is `prefix`".into()));
            }
        }
    }
    Ok(RedisAddress {
        tls: text.starts_with("rediss:"),
        host: host.to_owned(),
        port: uri.port_u16().unwrap_or(DEFAULT_PORT),
        user,
        database,
        prefix: prefix.to_owned(),
    })
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

impl fmt::Display for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Redis(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis{}://", if self.tls { "s" } else { "" })?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') { write!(f, "[{}]", self.host) } else { f.write_str(&self.host) }?;
        write!(f, ":{}/{}", self.port, self.database)?;
        if self.prefix == DEFAULT_PREFIX { Ok(()) } else { write!(f, "?prefix={}", self.prefix) }
    }
}

impl Shape for StoreChoice {
    const KIND: Kind = Kind::Text;

    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        let Value::Text(text) = &node.value else { return mistyped(Self::KIND, node, at, report) };
        choice(text).map_err(|(message, help)| report.error(at, message, help)).ok()
    }
}

impl Serialize for StoreChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_as_it_is_written() {
        for text in [
            "memory",
            "file:.edgeway",
            "file:/var/lib/edgeway",
            "redis://127.0.0.1:6379/0",
            "rediss://gateway@redis.example.com:6380/3?prefix=staging",
            "redis://[::1]:6379/0",
        ] {
            let read = choice(text).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"));
            assert_eq!(read.to_string(), text);
            assert_eq!(choice(&read.to_string()), Ok(read));
        }
        assert_eq!(choice("file:///var/lib/edgeway"), choice("file:/var/lib/edgeway"));
        assert_eq!(choice("redis://cache").map(|read| read.to_string()), Ok("redis://cache:6379/0".to_owned()));
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for text in [
            "redis://:hunter2@cache:6379/0",
            "redis://gateway:hunter2@cache/0",
            "rediss://u:hunter2@x@cache",
            "redis://:hunter2/@cache:6379",
            "redis://:hunter2?@cache:6379",
        ] {
            let (message, help) = choice(text).expect_err(text);
            assert!(message.contains("password") && help.contains("store_password"), "{text}: {message}");
            assert!(!message.contains("hunter2") && !help.contains("hunter2"));
        }
    }

    #[test]
    fn what_is_no_store_is_refused_with_a_way_out() {
        for (text, said) in [
            ("redi://cache", "did you mean `redis`"),
            ("Memory", "did you mean `memory`"),
            ("file:", "file:.edgeway"),
            ("redis", "redis://HOST:PORT/DB"),
            ("redis:cache", "redis://127.0.0.1:6379/0"),
            ("redis://", "redis://127.0.0.1:6379/0"),
            ("redis://cache:/0", "redis://127.0.0.1:6379/0"),
            ("redis://cache/zero", "usually 0"),
            ("redis://cache/0?pool=3", "`prefix`"),
            ("redis://cache/0?prefix=a%20b", "redis://127.0.0.1:6379/0"),
            ("", "memory"),
            ("postgres://x", "file:PATH"),
        ] {
            let (_, help) = choice(text).expect_err(text);
            assert!(help.contains(said), "{text}: {help}");
        }
    }
}
