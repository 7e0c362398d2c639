//! The text of a virtual key: `ew_<environment>_<id>_<secret>_<check>`.
//!
//! | part | what it is |
//! |---|---|
//! | environment | 1 to 16 of `a-z` and `0-9`, for people: `live`, `test` |
//! | id | 16 of `a-z` and `2-7`: 80 random bits. Names the key in stores, logs and records |
//! | secret | 52 of the same: 256 random bits. Kept by its holder alone |
//! | check | 8 of the same: the first 40 bits of the SHA-256 of everything before. Tells a mistyped or truncated key, and a scanner of leaked texts, at once; proves nothing |
//!
//! Kept is HMAC-SHA-256 of the secret under a random salt of its own (a [`Seal`]).
//!
//! Invariant: [`Credential::opens`] does the same work for any two texts and any number of seals, none included.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ports::{Entropy, Secret, Timestamp};

/// Length of an id.
const ID: usize = 16;
const SECRET: usize = 52;
const CHECK: usize = 8;
const ENVIRONMENT: usize = 16;
/// Most seals of a key: two while a rotation overlaps.
const SEALS: usize = 2;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A virtual key's text, read. Has no `Debug`.
#[derive(Clone)]
pub struct Credential {
    environment: String,
    id: String,
    secret: Secret,
}

/// What is kept of a secret. Shows nothing of itself but in a store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// 16 random bytes, in hexadecimal.
    salt: String,
    /// HMAC-SHA-256 of the secret under the salt, in hexadecimal.
    mac: String,
    /// Until when the secret is good; for as long as the key when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Credential {
    /// Whether a text means to be a virtual key, well formed or not.
    pub fn looks_like(text: &str) -> bool {
        text.starts_with("ew_")
    }

    /// Whether a text can name an environment.
    pub fn is_environment(text: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        (1..=ENVIRONMENT).contains(&text.len()) && text.bytes().all(plain)
    }

    /// Reads a key's text. `None` for anything that no [`Credential::mint`] made.
    pub fn parse(text: &str) -> Option<Self> {
        let (checked, check) = text.rsplit_once('_')?;
        let mut parts = checked.strip_prefix("ew_")?.split('_');
        let (environment, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
        let of = |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| ALPHABET.contains(&byte));
        let fits = parts.next().is_none()
            && Self::is_environment(environment)
            && of(id, ID)
            && of(secret, SECRET)
            && check == self::check(checked);
        fits.then(|| Self { environment: environment.to_owned(), id: id.to_owned(), secret: Secret::new(secret) })
    }

    /// A random id for a new key.
    pub fn new_id(entropy: &dyn Entropy) -> String {
        let mut bytes = [0; ID * 5 / 8];
        entropy.fill(&mut bytes);
        base32(&bytes)
    }

    /// A new secret for the key with this id. `None` when one of the names cannot stand in a key.
    pub fn mint(environment: &str, id: &str, entropy: &dyn Entropy) -> Option<Self> {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        let minted = Self { environment: environment.to_owned(), id: id.to_owned(), secret: Secret::new(base32(&bytes)) };
        Self::parse(minted.text().expose())
    }

    /// The whole text: what its holder is shown, once.
    pub fn text(&self) -> Secret {
        let checked = format!("ew_{}_{}_{}", self.environment, self.id, self.secret.expose());
        let check = check(&checked);
        Secret::new(format!("{checked}_{check}"))
    }

    /// The key's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key's environment.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// What is to be kept of the secret.
    pub fn seal(&self, entropy: &dyn Entropy) -> Seal {
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let salt = hex(&salt);
        Seal { mac: hex(&self.mac(&salt)), salt, until: None }
    }

    /// Whether the secret is that of one of the seals, of which at most two count.
    pub fn opens(&self, seals: &[Seal], now: Timestamp) -> bool {
        let nobody = Seal { salt: "0".repeat(32), mac: "0".repeat(64), until: None };
        let mut opened = false;
        for place in 0..SEALS {
            let known = seals.get(place);
            let seal = known.unwrap_or(&nobody);
            let same = same(hex(&self.mac(&seal.salt)).as_bytes(), seal.mac.as_bytes());
            opened |= same & known.is_some() & seal.until.is_none_or(|until| now < until);
        }
        opened
    }

    fn mac(&self, salt: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(salt.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(self.secret.expose().as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// Compares in constant time.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

fn check(checked: &str) -> String {
    base32(&Sha256::digest(checked.as_bytes())[..CHECK * 5 / 8])
}

/// Five bits a letter, the highest first; what is left over is filled with zeros.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity((bytes.len() * 8).div_ceil(5));
    let (mut held, mut bits) = (0u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::memory::SeededEntropy;

    const NOW: Timestamp = Timestamp(1);

    #[test]
    fn a_minted_key_is_read_back_and_opens_its_own_seal_only() {
        let entropy = SeededEntropy::new(3);
        let id = Credential::new_id(&entropy);
        let credential = Credential::mint("live", &id, &entropy).expect("plain names");
        let text = credential.text();
        assert_eq!(text.expose().len(), "ew_live_".len() + ID + 1 + SECRET + 1 + CHECK);
        let read = Credential::parse(text.expose()).expect("a key");
        assert_eq!((read.environment(), read.id()), ("live", id.as_str()));
        let (seal, other) = (credential.seal(&entropy), credential.seal(&entropy));
        assert_ne!(seal, other, "each seal has a salt of its own");
        assert!(read.opens(std::slice::from_ref(&seal), NOW) && read.opens(&[other, seal.clone()], NOW));
        let another = Credential::mint("live", &id, &entropy).expect("plain names");
        assert!(!another.opens(&[seal], NOW) && !another.opens(&[], NOW));
    }

    #[test]
    fn a_seal_past_its_time_opens_to_nobody() {
        let entropy = SeededEntropy::new(3);
        let credential = Credential::mint("live", "abcdefghijklmnop", &entropy).expect("plain names");
        let seal = Seal { until: Some(NOW), ..credential.seal(&entropy) };
        assert!(credential.opens(std::slice::from_ref(&seal), Timestamp(0)) && !credential.opens(&[seal], NOW));
    }

    #[test]
    fn what_was_not_minted_is_no_key() {
        let entropy = SeededEntropy::new(3);
        let credential = Credential::mint("live", "abcdefghijklmnop", &entropy).expect("plain names");
        let text = credential.text().expose().to_owned();
        for at in 0..text.len() {
            for changed in ["A", "8", "é", "", "_", "aa"] {
                let mut other = text.clone();
                other.replace_range(at..=at, changed);
                assert!(other == text || Credential::parse(&other).is_none(), "{other}");
            }
            let flipped = if &text[at..=at] == "b" { "c" } else { "b" };
            let mut other = text.clone();
            other.replace_range(at..=at, flipped);
            assert!(Credential::parse(&other).is_none(), "{other}");
        }
        for other in ["", "ew_", "ew____", "_", "sk-abc", " ", &format!(" {text}"), &format!("{text} "), &text.to_uppercase()] {
            assert!(Credential::parse(other).is_none(), "{other}");
        }
        for (environment, id) in
            [("", "abcdefghijklmnop"), ("LIVE", "abcdefghijklmnop"), ("a_b", "abcdefghijklmnop"), ("live", "short")]
        {
            assert!(Credential::mint(environment, id, &entropy).is_none());
        }
    }

    #[test]
    fn letters_hold_five_bits_each_as_rfc_4648_has_it() {
        for (bytes, text) in [(&b""[..], ""), (b"f", "my"), (b"fo", "mzxq"), (b"foo", "mzxw6"), (b"foobar", "mzxw6ytboi")] {
            assert_eq!(base32(bytes), text);
        }
    }
}
