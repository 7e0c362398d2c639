//! Where the administration is: behind a gateway's address, or in a store at hand.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use edgeway_core::admin::{Answer, Content};
use edgeway_core::config::StoreChoice;
use edgeway_core::error::Error;
use edgeway_core::ports::{EventSink, HttpClient, Network, Outbound, Secret, SecretStore, Timeouts};
use edgeway_core::{Body, Gateway};
use http::{HeaderValue, Method, Request, header};
use serde_json::Value;

use super::configuration::{self, Failure, Sources};
use super::platform::Platform;
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

/// What is asked: a request to the administration, without its address and credentials.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    method: Method,
    /// Below `/admin/v1/`, with its query.
    path: String,
    /// The media type of the body, and the body.
    body: Option<(&'static str, String)>,
    /// `If-Match`.
    expected: Option<String>,
}

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

impl Ask {
    /// Does something with what is at a path.
    pub(super) fn of(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None, expected: None }
    }

    /// Asks for what is at a path.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::of(Method::GET, path)
    }

    /// Sends a document or an object there.
    pub(super) fn send(method: Method, path: impl Into<String>, kind: &'static str, body: String) -> Self {
        Self { body: Some((kind, body)), ..Self::of(method, path) }
    }

    /// Only if this version is still current; `None`: whatever is.
    pub(super) fn expecting(self, version: Option<u64>) -> Self {
        let expected = version.map_or("*".to_owned(), |version| format!("\"{version}\""));
        Self { expected: Some(expected), ..self }
    }

    fn request(self, address: &str) -> Result<Request<Bytes>, http::Error> {
        let mut request = Request::builder().method(self.method).uri(format!("{address}/admin/v1/{}", self.path));
        let (kind, body) = self.body.unzip();
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if let Some(expected) = self.expected {
            request = request.header(header::IF_MATCH, expected);
        }
        request.body(Bytes::from(body.unwrap_or_default()))
    }
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
            Self::Stores { gateway, by, .. } => {
                let request = ask.request("").map_err(|error| error.to_string())?;
                Ok(gateway.administer(by, request).await)
            }
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
        let request = ask.request(&self.address).map_err(|error| format!("`{}` is no address: {error}", self.address))?;
        let mut request = request.map(Body::from);
        request.headers_mut().insert(header::AUTHORIZATION, self.key.clone());
        let away = |error: Error| format!("{} does not answer: {}", self.address, error.source.unwrap_or(error.message));
        let outbound = Outbound { request, timeouts: TIMEOUTS, network: Network::Any };
        let response = self.client.send(outbound).await.map_err(away)?;
        let (parts, body) = response.into_parts();
        let body = body.collect(LARGEST).await.map_err(away)?;
        let tag = parts.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let version = tag.and_then(|tag| tag.trim_start_matches("W/").trim_matches('"').parse().ok());
        let content = if body.is_empty() { Ok(Content::Nothing) } else { serde_json::from_slice(&body).map(Content::Json) };
        match content {
            Ok(content) => Ok(Answer { status: parts.status, version, headers: Vec::new(), content }),
            Err(_) => Err(format!("{} answers {}, and is no Edgeway gateway", self.address, parts.status)),
        }
    }
}

/// The sentence of a problem.
pub(super) fn detail(body: &Value) -> String {
    body["detail"].as_str().map_or_else(|| format!("the gateway answers {body}"), printable)
}

/// What others wrote, without what a terminal would act on.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || edgeway_core::usage::line::acts(c) { '?' } else { c }).collect()
}

fn bearer(key: &Secret) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose()))
        .map_err(|_| format!("{KEY} holds characters that no key has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Percent-encoded, all but letters, digits and what queries leave alone.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}
