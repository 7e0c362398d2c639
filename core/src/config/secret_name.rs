//! The name of a secret, where people are tempted to write the secret.
//!
//! Invariant: what looks like a key is refused, and never repeated in a message.

use serde::{Serialize, Serializer};

use super::diagnostic::Report;
use super::node::{Node, Value};
use super::path::Path;
use super::shape::{Kind, Shape, mistyped};

/// The name of a secret: an environment variable, a secret binding, a key of a vault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName(String);

impl SecretName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for SecretName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// How keys begin that are in wide use.
const KEY_PREFIXES: [&str; 24] = [
    "sk-",
    "sk_",
    "pk-",
    "rk_",
    "gsk_",
    "AIza",
    "xai-",
    "hf_",
    "pplx-",
    "r8_",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "nvapi-",
    "AKIA",
    "ASIA",
    "eyJ",
    "ew_",
    "fw_",
    "csk-",
    "tgp_",
    "ya29.",
    "jina_",
];

/// Whether a text looks like a key rather than the name of one.
pub(super) fn looks_like_a_key(text: &str) -> bool {
    let text = text.trim();
    let bare = text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("bearer ")).unwrap_or(text);
    if bare.len() != text.len() || KEY_PREFIXES.iter().any(|prefix| bare.starts_with(prefix) && bare.len() >= 16) {
        return true;
    }
    // Names are words; keys are long runs that mix letters and digits.
    bare.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        let lower = run.bytes().any(|byte| byte.is_ascii_lowercase());
        let upper = run.bytes().any(|byte| byte.is_ascii_uppercase());
        let changes = run.as_bytes().windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
        run.len() >= 20 && digits >= 3 && (changes >= 4 || (lower && upper))
    })
}

impl Shape for SecretName {
    const KIND: Kind = Kind::Secret;

    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        let Value::Text(text) = &node.value else { return mistyped(Self::KIND, node, at, report) };
        if looks_like_a_key(text) {
            report.error(
                at,
                "this looks like a key; only the name of a secret may stand here",
                "keep the key in an environment variable (or your platform's secrets), write that variable's name here, and replace the \
                 key if this document was ever shared",
            );
            return None;
        }
        let name = text.as_str();
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        if let Some(inner) = name.strip_prefix('$').map(|inner| inner.trim_matches(['{', '}'])) {
            report.error(at, "a secret is written by its name alone", format!("write \"{}\"", super::diagnostic::shown(inner)));
            return None;
        }
        if name.is_empty() || name.len() > 256 || !name.chars().all(valid) {
            report.error(
                at,
                "this is no name of a secret",
                "write the name of the environment variable (or secret) that holds the key: letters, digits, `_`, `-`, `.` and `/`",
            );
            return None;
        }
        Some(Self(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_names() {
        for key in [
            "sk-proj-abcdefghijklmnop",
            "sk-ant-api03-xxxxxxxxxxxxx",
            "AIzaSyA-0123456789abcdef",
            "gsk_0123456789abcdef",
            "Bearer abc",
            "3f9a0c7be1d24a6f8b5c9d0e1f2a3b4c",
            "aB3dE5fG7hI9jK1lM3nO",
        ] {
            assert!(looks_like_a_key(key), "{key}");
        }
        for name in [
            "OPENAI_API_KEY",
            "openai-key",
            "projects/team-1/secrets/openai-key-2024",
            "AZURE_OPENAI_API_KEY_EASTUS2",
            "MY_COMPANY_PRODUCTION_GATEWAY_KEY_1",
            "openaiApiKeyForTheSearchTeam",
            "sk-name",
        ] {
            assert!(!looks_like_a_key(name), "{name}");
        }
    }
}
