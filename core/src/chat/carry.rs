//! Carries a provider's opaque tokens through callers whose protocol has no field for them.
//!
//! Claude and Gemini refuse a tool conversation when the signatures of their last turn are missing,
//! but an OpenAI client returns only `id`, `name` and `arguments` of a tool call. So the state rides
//! in the id: `<id>_ew1_<base64url of JSON>`. Callers echo ids verbatim, in the call and in its
//! result; decoders take the state out again before anything else sees it.
//!
//! | caller's field | what it carries | functions |
//! |---|---|---|
//! | a tool call's id | the reasoning before the call, the call's own signature | [`wrap_id`], [`unwrap_id`] |
//! | a signature field of another dialect | a foreign signature, tagged with its dialect | [`tag`], [`untag`] |
//!
//! Invariant: what is carried is only ever sent to the dialect that made it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{Reasoning, Signature};
use crate::dialect::DialectId;

const MARK: &str = "_ew1_";
const TAG: &str = "ew1:";

/// Whether a request's bytes hold anything that was carried: then they mean nothing to a provider as
/// they are. (`"ZXcxOm` is a JSON string that begins with base64 of `ew1:`.)
pub fn is_carried_in(body: &[u8], dialect: DialectId) -> bool {
    let tagged = || memchr::memmem::find(body, b"\"ZXcxOm").is_some();
    // Chat Completions have no field for signatures.
    memchr::memmem::find(body, MARK.as_bytes()).is_some() || (dialect != DialectId::OpenAiChat && tagged())
}

/// What rides in a tool call's id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Carried {
    /// Signed reasoning that came before the call (only the first call of a message carries it).
    pub reasoning: Vec<Reasoning>,
    /// The call's own signature.
    pub signature: Option<Signature>,
}

impl Carried {
    /// Whether there is nothing to carry.
    pub fn is_empty(&self) -> bool {
        self.reasoning.is_empty() && self.signature.is_none()
    }
}

#[derive(Serialize, Deserialize)]
struct WireReasoning<'a>(std::borrow::Cow<'a, str>, bool, Option<WireSignature<'a>>);

#[derive(Serialize, Deserialize)]
struct WireSignature<'a>(std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>);

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    #[serde(default, skip_serializing_if = "Vec::is_empty", borrow)]
    r: Vec<WireReasoning<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<WireSignature<'a>>,
}

/// The id that a caller sees: `id` alone when nothing is carried. Only `[A-Za-z0-9_-]` is added.
pub fn wrap_id(id: &str, carried: &Carried) -> String {
    if carried.is_empty() {
        return id.to_owned();
    }
    let signature =
        |signature: &Option<Signature>| signature.as_ref().map(|s| WireSignature(s.dialect.name().into(), s.data.clone().into()));
    let wire = Wire {
        r: carried.reasoning.iter().map(|r| WireReasoning(r.text.as_str().into(), r.redacted, signature(&r.signature))).collect(),
        s: signature(&carried.signature),
    };
    let json = serde_json::to_vec(&wire).expect("strings and booleans serialise");
    format!("{id}{MARK}{}", URL_SAFE_NO_PAD.encode(json))
}

/// The provider's own id, and what rode in it. An id that does not decode is taken as it is.
pub fn unwrap_id(id: &str) -> (&str, Carried) {
    fn open(state: &str) -> Option<Carried> {
        let json = URL_SAFE_NO_PAD.decode(state).ok()?;
        let wire: Wire<'_> = serde_json::from_slice(&json).ok()?;
        let signature = |s: WireSignature<'_>| Some(Signature { dialect: DialectId::parse(&s.0)?, data: s.1.into_owned() });
        Some(Carried {
            reasoning: wire
                .r
                .into_iter()
                .map(|r| Reasoning { text: r.0.into_owned(), redacted: r.1, signature: r.2.and_then(signature) })
                .collect(),
            signature: wire.s.and_then(signature),
        })
    }
    // A provider's own id may hold the mark too: what opens is what was carried.
    id.match_indices(MARK)
        .find_map(|(at, mark)| open(&id[at + mark.len()..]).map(|carried| (&id[..at], carried)))
        .unwrap_or_else(|| (id, Carried::default()))
}

/// A signature for the signature field of `dialect`: as it is when it is that dialect's own, else
/// base64 of `ew1:<dialect>:<data>` (signature fields are base64 in every protocol that has one).
pub fn tag(signature: &Signature, dialect: DialectId) -> String {
    if signature.dialect == dialect {
        return signature.data.clone();
    }
    STANDARD.encode(format!("{TAG}{}:{}", signature.dialect.name(), signature.data))
}

/// A signature from the signature field of `dialect`: a tagged one belongs to its maker. Takes both
/// alphabets of base64: Python's Gemini SDK holds signatures as bytes and writes the URL-safe one.
pub fn untag(data: &str, dialect: DialectId) -> Signature {
    fn open(data: &str) -> Option<Signature> {
        // "ew1:" in base64 begins so whatever follows; most real signatures end here.
        if !data.starts_with("ZXcxO") {
            return None;
        }
        let url_safe = data.trim_end_matches('=').replace('+', "-").replace('/', "_");
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(url_safe).ok()?).ok()?;
        let (dialect, data) = text.strip_prefix(TAG)?.split_once(':')?;
        Some(Signature { dialect: DialectId::parse(dialect)?, data: data.to_owned() })
    }
    open(data).unwrap_or_else(|| Signature { dialect, data: data.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_and_signature_ride_in_an_id_and_come_back() {
        let signature = Signature { dialect: DialectId::AnthropicMessages, data: "EqQB+/=".into() };
        let carried = Carried {
            reasoning: vec![Reasoning { text: "Überlegen \"so\"".into(), redacted: false, signature: Some(signature.clone()) }],
            signature: Some(signature),
        };
        let id = wrap_id("toolu_01", &carried);
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{id}");
        assert_eq!(unwrap_id(&id), ("toolu_01", carried));
    }

    #[test]
    fn an_id_without_state_is_left_alone() {
        assert_eq!(wrap_id("call_1", &Carried::default()), "call_1");
        assert_eq!(unwrap_id("call_1"), ("call_1", Carried::default()));
        assert_eq!(unwrap_id("x_ew1_%%%"), ("x_ew1_%%%", Carried::default()));
    }

    #[test]
    fn an_id_that_holds_the_mark_itself_comes_back_whole() {
        let carried =
            Carried { signature: Some(Signature { dialect: DialectId::Gemini, data: "sig".into() }), ..Carried::default() };
        let id = wrap_id("call_ew1_x", &carried);
        assert_eq!(unwrap_id(&id), ("call_ew1_x", carried));
        assert_eq!(unwrap_id("call_ew1_x"), ("call_ew1_x", Carried::default()));
    }

    #[test]
    fn a_foreign_signature_is_tagged_and_returns_to_its_maker() {
        let signature = Signature { dialect: DialectId::Gemini, data: "CsQBAdHtim9".into() };
        assert_eq!(tag(&signature, DialectId::Gemini), "CsQBAdHtim9");
        let tagged = tag(&signature, DialectId::AnthropicMessages);
        assert!(is_carried_in(format!("{{\"signature\":\"{tagged}\"}}").as_bytes(), DialectId::AnthropicMessages));
        assert_eq!(untag(&tagged, DialectId::AnthropicMessages), signature);
        assert_eq!(untag("EqQB", DialectId::AnthropicMessages).dialect, DialectId::AnthropicMessages);
    }

    #[test]
    fn a_tag_survives_a_client_that_rewrites_base64() {
        let signature = Signature { dialect: DialectId::AnthropicMessages, data: "??>>~~Ep+/=".into() };
        let tagged = tag(&signature, DialectId::Gemini);
        assert!(tagged.contains(['+', '/']), "{tagged}");
        let url_safe = tagged.replace('+', "-").replace('/', "_");
        assert_eq!(untag(&url_safe, DialectId::Gemini), signature);
        assert_eq!(untag(url_safe.trim_end_matches('='), DialectId::Gemini), signature);
    }
}
