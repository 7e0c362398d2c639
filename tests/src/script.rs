//! What a case's provider does: the answers it gives, in the order in which it is asked, and what it must be asked.
//!
//! The script is data; [`crate::upstream`] plays it over TCP and [`crate::driver`]'s in-process driver over a port.

use serde_json::Value;

use crate::json::{Mode, differences};
use crate::protocol::Protocol;

/// One request that the gateway makes, and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What must be asked.
    pub asked: Asked,
    /// What is answered.
    pub answer: Answer,
}

/// What a provider must be asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The protocol in which.
    pub protocol: Protocol,
    /// The method.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Headers that must have these values.
    pub headers: Vec<(String, String)>,
    /// Headers that must not be there.
    pub absent: Vec<String>,
    /// The body.
    pub body: Expected,
}

/// What a body must be.
#[derive(Clone, Debug)]
pub enum Expected {
    /// Anything.
    Any,
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// JSON that equals this, patterns allowed.
    Equal(Value),
    /// JSON that includes this, patterns allowed.
    Includes(Value),
}

/// What a provider answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers; framing is added.
    pub headers: Vec<(String, String)>,
    /// The body, step by step.
    pub steps: Vec<Step>,
}

/// One step of an answer. After the last one the body ends properly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// One chunk.
    Chunk(Vec<u8>),
    /// The connection is reset.
    Reset,
    /// The connection is closed without the body's end.
    HangUp,
    /// Nothing more is sent until the gateway closes.
    Stall,
}

/// A request as a provider saw it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Expected {
    /// Every difference, as sentences.
    pub fn differences(&self, actual: &[u8]) -> Vec<String> {
        let (wanted, mode) = match self {
            Self::Any => return Vec::new(),
            Self::Bytes(wanted) if wanted == actual => return Vec::new(),
            Self::Bytes(wanted) => return vec![first_difference(wanted, actual)],
            Self::Equal(wanted) => (wanted, Mode::Equal),
            Self::Includes(wanted) => (wanted, Mode::Includes),
        };
        match serde_json::from_slice::<Value>(actual) {
            Ok(actual) => differences(wanted, &actual, mode),
            Err(error) => vec![format!("the body is not JSON ({error}): {}", show(actual))],
        }
    }
}

impl Asked {
    /// Every difference between what was asked and what must be asked.
    pub fn differences(&self, seen: &Seen) -> Vec<String> {
        let mut found = Vec::new();
        if seen.method != self.method || seen.path != self.path {
            found.push(format!("asked {} {}, expected {} {}", seen.method, seen.path, self.method, self.path));
        }
        let header = |name: &str| seen.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        for (name, wanted) in &self.headers {
            if header(name) != Some(wanted) {
                found.push(format!("header {name}: is {:?}, expected {wanted:?}", header(name)));
            }
        }
        for name in &self.absent {
            if let Some(value) = header(name) {
                found.push(format!("header {name}: must not be sent, is {value:?}"));
            }
        }
        found.extend(self.body.differences(&seen.body).into_iter().map(|difference| format!("body {difference}")));
        found
    }
}

/// Where two byte strings part, with some context.
fn first_difference(wanted: &[u8], actual: &[u8]) -> String {
    let at = wanted.iter().zip(actual).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| show(&bytes[at.saturating_sub(40).min(bytes.len())..(at + 80).min(bytes.len())]);
    format!(
        "differs at byte {at} (lengths {} and {}):\n  expected ..{}\n  actual   ..{}",
        wanted.len(),
        actual.len(),
        around(wanted),
        around(actual)
    )
}

/// Bytes for a message.
pub fn show(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.chars().count() <= 2000 { text.into_owned() } else { text.chars().take(2000).chain("...".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_byte_is_found_and_shown() {
        let found = Expected::Bytes(b"{\"a\": 1}".to_vec()).differences(b"{\"a\":1}");
        assert!(found[0].starts_with("differs at byte 5"), "{found:?}");
        assert!(Expected::Bytes(b"x".to_vec()).differences(b"x").is_empty());
    }

    #[test]
    fn a_leaked_header_is_a_difference() {
        let asked = Asked {
            protocol: Protocol::Openai,
            method: "POST",
            path: "/v1/x".into(),
            headers: vec![("a".into(), "b".into())],
            absent: vec!["cookie".into()],
            body: Expected::Any,
        };
        let headers = vec![("a".into(), "b".into()), ("cookie".into(), "c".into())];
        let seen = Seen { method: "POST".into(), path: "/v1/x".into(), headers, body: Vec::new() };
        assert_eq!(asked.differences(&seen).len(), 1);
    }
}
