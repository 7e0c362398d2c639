//! The ways in which a token can be signed.
//!
//! | name | what it is | keys |
//! |---|---|---|
//! | `RS256`, `RS384`, `RS512` | RSASSA-PKCS1-v1_5 (RFC 7518, 3.3) | RSA, 2048 to 4096 bits |
//! | `PS256`, `PS384`, `PS512` | RSASSA-PSS, the salt as long as the hash (RFC 7518, 3.5) | RSA, 2048 to 4096 bits |
//! | `ES256`, `ES384` | ECDSA (RFC 7518, 3.4) | P-256, P-384 |
//! | `EdDSA` | Ed25519 (RFC 8037, 3.1; `Ed25519` in RFC 9864) | Ed25519 |
//! | `HS256`, `HS384`, `HS512` | HMAC (RFC 7518, 3.2) | a secret of the gateway's own |
//!
//! Invariant: `none` cannot be written down here. `ES512` is left out: nobody's default, and 15 KB of every edge module.

use Algorithm::*;

/// A way to sign a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table above says what each is")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
    Hs256,
    Hs384,
    Hs512,
}

impl Algorithm {
    /// All of them with their names.
    pub const ALL: [(&'static str, Self); 12] = [
        ("RS256", Rs256),
        ("RS384", Rs384),
        ("RS512", Rs512),
        ("PS256", Ps256),
        ("PS384", Ps384),
        ("PS512", Ps512),
        ("ES256", Es256),
        ("ES384", Es384),
        ("EdDSA", EdDsa),
        ("HS256", Hs256),
        ("HS384", Hs384),
        ("HS512", Hs512),
    ];

    /// The one that a header or a key names, to the letter.
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "Ed25519" { "EdDSA" } else { name };
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, algorithm)| algorithm)
    }

    /// Whether who can check a signature can make one.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Hs256 | Hs384 | Hs512)
    }
}
