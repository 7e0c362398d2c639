//! What is written down, and as which bytes.
//!
//! An entry's JSON says everything that its hash covers, so whoever has the entries can check them without this program:
//! the hash is that of [`chain::link`] over the JSON of the [`Deed`], as this file writes it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::cell::chain::{self, ENTRY, Hash, Link};
use crate::order;
use crate::ports::Timestamp;
use crate::usage::line::acts;

/// The longest name of who did it, in characters.
const BY: usize = 128;
/// The longest name of what it was done to, in characters.
const OBJECT: usize = 200;
/// The longest value of a detail, in characters.
const DETAIL: usize = 160;
/// The longest of all else, in characters.
const OTHER: usize = 64;

/// Something that somebody did, or tried to do. Texts are cut where they are longer than what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deed {
    /// Who: the name of a key or of a person at the store itself. Empty for nobody who is known.
    pub by: String,
    /// Whose business it is; none: the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What: the name of an endpoint.
    pub action: String,
    /// To what: the path of an object, below `/admin/v1/`.
    pub object: String,
    /// The request in which it was done. Empty where there was none.
    pub request: String,
    /// Where the request came from, if the platform knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// What else there is to say. Never a secret: only what is on a list gets here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
}

/// What came of a deed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is about to be done. Another entry says what came of it; without one nobody knows.
    #[default]
    Begun,
    /// It was done.
    Done,
    /// It could not be done.
    Failed,
    /// It was not allowed.
    Denied,
}

impl Outcome {
    /// Its name in entries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Denied => "denied",
        }
    }
}

/// A deed in the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Line", into = "Line")]
pub struct Entry {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When it was written down. Never earlier than the entry before.
    pub at: Timestamp,
    /// What was done.
    pub deed: Deed,
    /// The hash of the entry before; zeros for the first.
    pub previous: Hash,
    /// Its own: [`chain::link`] over all the others.
    pub hash: Hash,
}

/// An entry as JSON has it: flat, hashes in hexadecimal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    at: Timestamp,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    action: String,
    object: String,
    request: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    detail: BTreeMap<String, String>,
    previous: String,
    hash: String,
}

impl Deed {
    /// The bytes that its hash covers: JSON without blanks, of at most [`ENTRY`] bytes.
    pub(super) fn bytes(&self) -> Bytes {
        let mut deed = self.cut();
        loop {
            let json = serde_json::to_vec(&deed).expect("a struct of texts is JSON");
            // All but the details always fit.
            if json.len() <= ENTRY || deed.detail.is_empty() {
                return json.into();
            }
            let longest = deed.detail.iter().max_by_key(|(_, value)| value.len()).map(|(name, _)| name.clone());
            deed.detail.remove(&longest.unwrap_or_default());
        }
    }

    /// With nothing longer than is kept, and nothing that a terminal would act on.
    fn cut(&self) -> Self {
        Self {
            by: clipped(&self.by, BY),
            tenant: self.tenant.as_deref().map(|tenant| clipped(tenant, OTHER)),
            action: clipped(&self.action, OTHER),
            object: clipped(&self.object, OBJECT),
            request: clipped(&self.request, OTHER),
            address: self.address.as_deref().map(|address| clipped(address, OTHER)),
            outcome: self.outcome,
            detail: order::map(self.detail.iter().map(|(name, value)| (clipped(name, OTHER), clipped(value, DETAIL)))),
        }
    }
}

/// Text for an entry: so many characters, of at most two bytes each in JSON. Others become `?`.
fn clipped(text: &str, most: usize) -> String {
    let plain = |c: char| !c.is_control() && !acts(c);
    let mut room = 2 * most;
    let mut clipped = String::new();
    for c in text.chars().take(most).map(|c| if plain(c) { c } else { '?' }) {
        let size = if matches!(c, '"' | '\\') { 2 } else { c.len_utf8() };
        if size > room {
            break;
        }
        room -= size;
        clipped.push(c);
    }
    clipped
}

impl Entry {
    /// Reads what a chain holds. Fails with what is wrong, as a sentence.
    pub(super) fn read(link: &Link) -> Result<Self, String> {
        let deed = serde_json::from_slice(&link.entry).map_err(|error| format!("it cannot be read: {error}"))?;
        Ok(Self { seq: link.number, at: link.at, deed, previous: link.previous, hash: link.hash })
    }

    /// The hash that it should have.
    pub fn expected(&self) -> Hash {
        let json = serde_json::to_vec(&self.deed).expect("a struct of texts is JSON");
        chain::link(&self.previous, self.seq, self.at, &json)
    }

    /// As one line of JSON, without a line end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("a struct of texts is JSON")
    }
}

impl From<Entry> for Line {
    fn from(entry: Entry) -> Self {
        let Entry { seq, at, deed, previous, hash } = entry;
        let Deed { by, tenant, action, object, request, address, outcome, detail } = deed;
        let (previous, hash) = (hex(&previous), hex(&hash));
        Self { seq, at, by, tenant, action, object, request, address, outcome, detail, previous, hash }
    }
}

impl TryFrom<Line> for Entry {
    type Error = &'static str;

    fn try_from(line: Line) -> Result<Self, &'static str> {
        let Line { seq, at, by, tenant, action, object, request, address, outcome, detail, previous, hash } = line;
        let deed = Deed { by, tenant, action, object, request, address, outcome, detail };
        let wrong = "a hash is not 64 hexadecimal digits";
        Ok(Self { seq, at, deed, previous: unhex(&previous).ok_or(wrong)?, hash: unhex(&hash).ok_or(wrong)? })
    }
}

/// A hash in hexadecimal.
pub(super) fn hex(hash: &Hash) -> String {
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A hash out of 64 lower-case hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Hash> {
    let plain = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    if text.len() != 64 || !text.as_bytes().iter().all(plain) {
        return None;
    }
    let mut hash = Hash::default();
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(hash)
}
