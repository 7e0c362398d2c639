//! Cases as data: what is sent, what the providers do, what must come back. One form for every target.
//!
//! | file | what it holds |
//! |---|---|
//! | `mod.rs` | a case as drivers run it, and the loader |
//! | `file.rs` | a case file: one situation, perhaps at several doors |
//! | `matrix.rs` | a matrix file: one feature, at every door with every provider, whole and streamed |
//! | `sample.rs` | the plain question and answer of each protocol, where a case does not say |
//! | `cut.rs` | how an answer is cut into chunks |
//!
//! Invariant: loading is strict: an unknown key, a file that expands to nothing, or two cases of one name is an error.

mod cut;
mod file;
mod matrix;
mod sample;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use file::{fill, fill_text};

use crate::protocol::Protocol;
use crate::script::{Answer, Exchange, Expected};

/// A case as drivers run it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its file, without the ending, and its variant: `matrix/tools/openai_to_gemini/streamed`.
    pub name: String,
    /// The gateway's configuration; `{{upstream}}` is the scripted provider's address.
    pub config: String,
    /// Secrets and other bindings.
    pub bindings: Vec<(String, String)>,
    /// Targets that can run it at all; empty for all of them.
    pub targets: Vec<String>,
    /// What happens, in order, on one gateway.
    pub turns: Vec<Turn>,
}

/// One request of a case.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What the caller sends.
    pub request: Request,
    /// What the gateway must ask of providers, and what they answer.
    pub upstream: Vec<Exchange>,
    /// What the caller must get.
    pub response: Response,
}

/// What a caller sends.
#[derive(Clone, Debug)]
pub struct Request {
    /// The protocol that the caller speaks.
    pub door: Protocol,
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// All headers except `host` and framing.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The whole request as bytes on a socket, instead of all the above.
    pub raw: Option<Vec<u8>>,
    /// The caller hangs up after this many chunks of the answer.
    pub hang_up_after: Option<usize>,
}

/// What a caller must get.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// Headers with their values; patterns as in JSON.
    pub headers: Vec<(String, String)>,
    /// Headers that must not be there.
    pub absent: Vec<String>,
    /// What `x-edgeway-warnings` says, without its reasons; nothing when empty. `None`: not looked at.
    pub warnings: Option<String>,
    /// The body.
    pub body: Body,
    /// What the one record includes.
    pub record: Value,
}

/// What the answer's body must be.
#[derive(Clone, Debug)]
pub enum Body {
    /// One whole body.
    Whole(Expected),
    /// An error in the caller's protocol whose sentence contains all of these.
    Error(Vec<String>, Expected),
    /// A stream that adds up to a value.
    Stream {
        /// The form: one JSON array instead of server-sent events.
        array: bool,
        /// What it adds up to.
        whole: Value,
        /// The terminal error event, if it must end in one.
        error: Option<Value>,
        /// Whether the protocol's own end must be reached.
        ended: bool,
        /// The exact bytes, where nothing may change.
        bytes: Option<Vec<u8>>,
    },
}

/// The configuration that a case has when it does not say: three providers at the script, and no built-in ones.
pub const CONFIG: &str = include_str!("default.toml");

/// Headers that every case's caller sends and no provider may ever see.
pub const PRIVATE_HEADERS: [(&str, &str); 7] = [
    ("cookie", "session=of-the-caller"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-host", "internal.example"),
    ("forwarded", "for=203.0.113.7"),
    ("x-real-ip", "203.0.113.7"),
    ("referer", "https://internal.example/page"),
    ("x-internal-token", "of-the-caller"),
];

/// Where the cases are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// Loads every case, sorted by name.
pub fn load() -> Result<Vec<Case>, String> {
    let mut files = Vec::new();
    list(&folder(), &mut files)?;
    files.sort();
    let mut cases = Vec::new();
    for path in files {
        let relative = path.strip_prefix(folder()).map_err(|error| error.to_string())?;
        let name = relative.with_extension("").to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        let expanded = if name.starts_with("matrix/") { matrix::expand(&name, &text) } else { file::expand(&name, &text) };
        let expanded = expanded.map_err(|wrong| format!("tests/cases/{name}.toml: {wrong}"))?;
        if expanded.is_empty() {
            return Err(format!("tests/cases/{name}.toml expands to no case"));
        }
        cases.extend(expanded);
    }
    let mut names = BTreeSet::new();
    match cases.iter().find(|case| !names.insert(case.name.clone())) {
        Some(twice) => Err(format!("two cases are called {}", twice.name)),
        None => Ok(cases),
    }
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    for entry in std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            files.push(path);
        }
    }
    Ok(())
}

/// The bindings of every case: the providers' keys and the caller's.
pub fn bindings() -> Vec<(String, String)> {
    let keys = Protocol::ALL.map(|protocol| (protocol.key_name().to_owned(), protocol.provider_key()));
    let caller = ("EDGEWAY_TEST_KEY".to_owned(), crate::protocol::CALLER_KEY.to_owned());
    keys.into_iter().chain([caller]).collect()
}

/// The headers of a caller of `door`: its SDK's way to show a key, and what must never pass.
fn caller_headers(door: Protocol) -> Vec<(String, String)> {
    let (name, value) = door.key_header(crate::protocol::CALLER_KEY);
    let private = PRIVATE_HEADERS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned()), (name.to_owned(), value)];
    headers.extend(private);
    headers
}

/// The headers with which a provider of `protocol` must be asked, and those that it must not see.
fn provider_headers(protocol: Protocol) -> (Vec<(String, String)>, Vec<String>) {
    let (name, value) = protocol.key_header(&protocol.provider_key());
    let mut headers = vec![(name.to_owned(), value), ("content-type".to_owned(), "application/json".to_owned())];
    if protocol == Protocol::Anthropic {
        headers.push(("anthropic-version".to_owned(), "2023-06-01".to_owned()));
    }
    let keys = Protocol::ALL.map(|other| other.key_header("").0).into_iter().filter(|other| *other != name);
    let absent = keys.chain(PRIVATE_HEADERS.map(|(name, _)| name)).map(str::to_owned).collect();
    (headers, absent)
}

/// The headers of a provider's answer.
fn answer_headers(protocol: Protocol, stream: bool) -> Vec<(String, String)> {
    let kind = if stream { "text/event-stream; charset=utf-8" } else { "application/json" };
    let id = match protocol {
        Protocol::Openai => ("x-request-id", "req_openai_1"),
        Protocol::Anthropic => ("request-id", "req_anthropic_1"),
        Protocol::Gemini => ("x-request-id", "req_gemini_1"),
    };
    [("content-type", kind), id, ("set-cookie", "provider=1"), ("x-provider-internal", "secret")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

/// Header names that no answer to a caller may have.
fn never_returned() -> Vec<String> {
    ["set-cookie", "x-provider-internal"].map(str::to_owned).to_vec()
}

fn json(what: &str, text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{what} is not JSON: {error}"))
}

/// An answer that a provider gives: whole, or cut into chunks.
fn answer(protocol: Protocol, status: u16, stream: bool, steps: Vec<crate::script::Step>) -> Answer {
    Answer { status, headers: answer_headers(protocol, stream && status < 300), steps }
}
