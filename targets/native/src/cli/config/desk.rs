//! Where the stored document is: behind a gateway's administration, or in a store at hand.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use edgeway_core::admin::{Answer, Ask};
use edgeway_core::config::StoreChoice;
use edgeway_core::error::Error;
use edgeway_core::ports::{EventSink, HttpClient, Network, Outbound, Secret, SecretStore, Timeouts};
use edgeway_core::{Body, Gateway};
use http::{HeaderValue, Method, Request, header};
use serde_json::json;

use super::super::configuration::{self, Failure, Sources};
use super::super::platform::Platform;
use crate::ports::events::{RequestLog, Style};
use crate::ports::http::{Client, Connector};
use crate::ports::secrets::EnvironmentSecrets;

/// The variable with the administrator's key.
const KEY: &str = "EDGEWAY_ADMIN_KEY";
/// How long a gateway may take: it may have to start first, and asks its store.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    first_byte: Duration::from_secs(30),
    idle: Duration::from_secs(30),
    total: Duration::from_secs(60),
};
/// Largest answer.
const LARGEST: usize = 16 << 20;

/// Somebody to ask.
pub(super) enum Desk {
    /// A gateway, over HTTP.
    Gateway(Remote),
    /// The stores of this machine.
    Stores { gateway: Arc<Gateway>, platform: Box<Platform>, by: String },
}

/// A gateway's administration.
pub(super) struct Remote {
    client: Client,
    address: String,
    key: HeaderValue,
}

impl Desk {
    pub(super) fn open(gateway: Option<&str>, config: Option<PathBuf>) -> Result<Self, Failure> {
        match gateway {
            Some(address) => Ok(Self::Gateway(Remote::new(address)?)),
            None => Self::stores(config),
        }
    }

    fn stores(config: Option<PathBuf>) -> Result<Self, Failure> {
        const ELSE: &str = "A gateway that runs can be asked with --gateway URL";
        let read = configuration::read(Sources { file: config, flags: Vec::new() })?;
        let platform = Platform::of(read).map_err(|failure| match failure {
            Failure::Other(why) => Failure::Other(format!("{why}. {ELSE}")),
            refused @ Failure::Refused(_) => refused,
        })?;
        if platform.stores.name == StoreChoice::Memory.to_string() {
            let why = platform.stores.warning.as_deref().unwrap_or("state is kept in the memory of the gateway");
            return Err(Failure::Other(format!("there is no store to work on: {why}. {ELSE}")));
        }
        let events: Arc<dyn EventSink> = match &platform.stores.events {
            Some(events) => events.clone(),
            None => Arc::new(RequestLog::start(Style::Json, std::io::stderr()).map_err(|error| error.to_string())?),
        };
        let ports = platform.ports(Arc::new(Client::new(Connector::new(), 1)), events);
        let (loaded, available) = (platform.loaded.clone(), platform.available.clone());
        let (gateway, _) = configuration::wait(Gateway::open(ports, loaded, available))??;
        let who =
            ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|who| !who.is_empty()));
        let by = who.map_or_else(|| "the command line".to_owned(), |who| format!("{who}, at the command line"));
        Ok(Self::Stores { gateway, platform: Box::new(platform), by })
    }

    /// Asks. The error says why there is no answer at all.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Answer, Failure> {
        match self {
            Self::Stores { gateway, by, .. } => Ok(gateway.administer(by, ask).await),
            Self::Gateway(remote) => Ok(remote.ask(ask).await?),
        }
    }

    /// Writes what waits to be kept.
    pub(super) fn close(&self) {
        if let Self::Stores { platform, .. } = self {
            platform.stores.close();
        }
    }
}

impl Remote {
    fn new(address: &str) -> Result<Self, Failure> {
        let address = address.trim_end_matches('/');
        if !address.starts_with("http://") && !address.starts_with("https://") {
            return Err(Failure::Other(format!("`{address}` is no address; write https://gateway.example.com")));
        }
        let secret = configuration::wait(EnvironmentSecrets::default().secret(KEY))?;
        let secret = secret.map_err(|error| error.source.unwrap_or(error.message))?;
        let key = secret.ok_or_else(|| format!("{KEY} is not set; it holds the key that the gateway's [admin] names"))?;
        Ok(Self { client: Client::new(Connector::new(), 1), address: address.to_owned(), key: bearer(&key)? })
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, String> {
        let request = self.request(ask).map_err(|error| format!("`{}` is no address: {error}", self.address))?;
        let away = |error: Error| format!("{} does not answer: {}", self.address, error.source.unwrap_or(error.message));
        let outbound = Outbound { request, timeouts: TIMEOUTS, network: Network::Any };
        let response = self.client.send(outbound).await.map_err(away)?;
        let (parts, body) = response.into_parts();
        let body = body.collect(LARGEST).await.map_err(away)?;
        let tag = parts.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let version = tag.and_then(|tag| tag.trim_start_matches("W/").trim_matches('"').parse().ok());
        match serde_json::from_slice(&body) {
            Ok(body) => Ok(Answer { status: parts.status, version, body }),
            Err(_) => Err(format!("{} answers {}, and is no Edgeway gateway", self.address, parts.status)),
        }
    }

    /// What `Ask::read` reads.
    fn request(&self, ask: Ask) -> Result<Request<Body>, http::Error> {
        let (method, path, expected, body, kind) = match ask {
            Ask::Show => (Method::GET, String::new(), None, Body::Empty, None),
            Ask::History => (Method::GET, "/history".to_owned(), None, Body::Empty, None),
            Ask::Version(number) => (Method::GET, format!("/{number}"), None, Body::Empty, None),
            Ask::Check(text) => (Method::POST, "/check".to_owned(), None, Body::from(text), Some("application/toml")),
            Ask::Push { text, expected, note, dry_run } => {
                let path = format!("?dry_run={dry_run}&note={}", encoded(&note));
                (Method::PUT, path, Some(expected), Body::from(text), Some("application/toml"))
            }
            Ask::Rollback { to, expected, note, dry_run } => {
                let path = format!("/rollback?dry_run={dry_run}&note={}", encoded(&note));
                let body = to.map_or(Body::Empty, |to| Body::from(json!({"to": to}).to_string()));
                (Method::POST, path, Some(expected), body, Some("application/json"))
            }
        };
        let mut request = Request::builder().method(method).uri(format!("{}/admin/v1/config{path}", self.address));
        request = request.header(header::AUTHORIZATION, self.key.clone());
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if let Some(expected) = expected {
            request = request.header(header::IF_MATCH, expected.map_or("*".to_owned(), |version| format!("\"{version}\"")));
        }
        request.body(body)
    }
}

fn bearer(key: &Secret) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose()))
        .map_err(|_| format!("{KEY} holds characters that no key has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Percent-encoded, all but letters, digits and what queries leave alone.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}
