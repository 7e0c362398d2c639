//! Keys that check signatures: read from a JWK set (RFC 7517, RFC 7518, RFC 8037), or a secret of the gateway's own.
//!
//! The key decides how its tokens are signed, not the token: an RSA key can never check an HMAC, and a key that names an
//! `alg` checks that one only.
//!
//! | left out of a set | why |
//! |---|---|
//! | a key whose `use` is not `sig`, or whose `key_ops` lack `verify` | it is for something else |
//! | a secret (`oct`), or a key with its private half (`d`) | whoever reads the set could sign |
//! | RSA below 2048 or above 4096 bits, or with an exponent that is even, below 3 or above 2^32 | weak, or slow |
//! | a point that is not on its curve, or of small order | no key |
//! | curves and algorithms that are not in [`super::algorithm`] | unknown |
//! | keys after the first [`MOST_KEYS`] | bounds memory and work |

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Verifier as _;
use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, Pkcs1v15Sign, Pss};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::algorithm::Algorithm;
use crate::ports::Secret;
use crate::wire::strict;

/// Most keys of one issuer.
pub(super) const MOST_KEYS: usize = 64;
/// Sizes of RSA keys, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The public half of a key, as issuers publish it and as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Jwk {
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    crv: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    x: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    y: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    n: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    e: String,
    /// There when the private half was published too.
    #[serde(skip_serializing)]
    d: Option<serde::de::IgnoredAny>,
}

/// A key that can check signatures.
pub(super) struct Key {
    kid: Option<String>,
    /// The only algorithm, when the key names one.
    alg: Option<Algorithm>,
    material: Material,
}

enum Material {
    Rsa(Box<rsa::PublicKey>),
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    Secret(Secret),
}

/// The keys of one issuer.
#[derive(Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    published: Vec<Jwk>,
}

impl KeySet {
    /// Reads a JWK set. What is no usable key is left out; a set of which nothing is left trusts nobody. Fails when it is no set.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Published {
            keys: Vec<serde_json::Value>,
        }
        strict::object(text).map_err(|refusal| format!("it is no JSON object: {}", refusal.reason))?;
        let Published { keys } = serde_json::from_slice(text).map_err(|why| format!("it is no JWK set: {why}"))?;
        Ok(Self::of(keys.into_iter().filter_map(|key| serde_json::from_value(key).ok())))
    }

    /// Keys that were kept.
    pub(super) fn of(published: impl IntoIterator<Item = Jwk>) -> Self {
        let usable = published.into_iter().filter_map(|jwk| Some((Key::of(&jwk)?, jwk))).take(MOST_KEYS);
        let (keys, published) = usable.unzip();
        Self { keys, published }
    }

    /// As it is kept.
    pub(super) fn published(&self) -> &[Jwk] {
        &self.published
    }

    /// The one key that bears the name and signs that way; a token that names none is good where only one key would do.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let named = |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
        let mut fitting = self.keys.iter().filter(|key| key.permits(algorithm)).filter(named);
        let first = fitting.next()?;
        if fitting.next().is_none() { Some(first) } else { None }
    }
}

impl Key {
    /// A secret that both sides hold.
    pub(super) fn secret(secret: Secret) -> Self {
        Self { kid: None, alg: None, material: Material::Secret(secret) }
    }

    /// `None` for what the table above leaves out.
    fn of(jwk: &Jwk) -> Option<Self> {
        let signs = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && jwk.key_ops.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"));
        if !signs || jwk.d.is_some() {
            return None;
        }
        let key = Self { kid: jwk.kid.clone(), alg: None, material: material(jwk)? };
        match &jwk.alg {
            None => Some(key),
            Some(name) => Algorithm::named(name).filter(|one| key.permits(*one)).map(|one| Self { alg: Some(one), ..key }),
        }
    }

    /// Whether it checks signatures of that kind.
    pub(super) fn permits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::*;
        let family = match self.material {
            Material::Rsa(_) => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
            Material::Secret(_) => algorithm.is_symmetric(),
        };
        family && self.alg.is_none_or(|only| only == algorithm)
    }

    /// Whether `signature` is this key's, made that way, of `signed`.
    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        self.permits(algorithm)
            && match &self.material {
                Material::Rsa(key) => rsa(key, algorithm, signed, signature),
                Material::P256(key) => {
                    p256::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| key.verify(signed, &signature).is_ok())
                }
                Material::P384(key) => {
                    p384::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| key.verify(signed, &signature).is_ok())
                }
                Material::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok()),
                Material::Secret(secret) => hmac(secret.expose().as_bytes(), algorithm, signed, signature),
            }
    }
}

fn material(jwk: &Jwk) -> Option<Material> {
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| !bytes.is_empty());
    /// A point that is not compressed (SEC 1, 2.3.3), of coordinates of `size` bytes each.
    fn point(x: &[u8], y: &[u8], size: usize) -> Option<Vec<u8>> {
        (x.len() == size && y.len() == size).then(|| [&[4], x, y].concat())
    }
    Some(match (jwk.kty.as_str(), jwk.crv.as_str()) {
        ("RSA", _) => {
            let exponent =
                bytes(&jwk.e).filter(|e| e.len() <= 4 && e.last().is_some_and(|last| last % 2 == 1) && e[..] != [1])?;
            let modulus = bytes(&jwk.n).filter(|n| n.len() <= RSA_BITS.end() / 8 + 1)?;
            let number = BoxedUint::from_be_slice_vartime;
            let key = rsa::PublicKey::new_with_size_limits(number(&modulus), number(&exponent), RSA_BITS).ok()?;
            Material::Rsa(Box::new(key))
        }
        ("EC", "P-256") => {
            let point = point(&bytes(&jwk.x)?, &bytes(&jwk.y)?, 32)?;
            Material::P256(Box::new(p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?))
        }
        ("EC", "P-384") => {
            let point = point(&bytes(&jwk.x)?, &bytes(&jwk.y)?, 48)?;
            Material::P384(Box::new(p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?))
        }
        ("OKP", "Ed25519") => {
            let point = bytes(&jwk.x)?.try_into().ok()?;
            let key = ed25519_dalek::VerifyingKey::from_bytes(&point).ok().filter(|key| !key.is_weak())?;
            Material::Ed25519(Box::new(key))
        }
        _ => return None,
    })
}

fn rsa(key: &rsa::PublicKey, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
    use Algorithm::*;
    if signature.len() != key.size() {
        return false;
    }
    let verified = match algorithm {
        Rs256 => key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(signed), signature),
        Rs384 => key.verify(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(signed), signature),
        Rs512 => key.verify(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(signed), signature),
        Ps256 => key.verify(Pss::<Sha256>::new(), &Sha256::digest(signed), signature),
        Ps384 => key.verify(Pss::<Sha384>::new(), &Sha384::digest(signed), signature),
        Ps512 => key.verify(Pss::<Sha512>::new(), &Sha512::digest(signed), signature),
        Es256 | Es384 | EdDsa | Hs256 | Hs384 | Hs512 => return false,
    };
    verified.is_ok()
}

/// The whole code, compared in constant time.
pub(super) fn hmac(secret: &[u8], algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
    fn code<M: Mac + KeyInit>(secret: &[u8], signed: &[u8], signature: &[u8]) -> bool {
        M::new_from_slice(secret).is_ok_and(|mac| mac.chain_update(signed).verify_slice(signature).is_ok())
    }
    match algorithm {
        Algorithm::Hs256 => code::<Hmac<Sha256>>(secret, signed, signature),
        Algorithm::Hs384 => code::<Hmac<Sha384>>(secret, signed, signature),
        Algorithm::Hs512 => code::<Hmac<Sha512>>(secret, signed, signature),
        _ => false,
    }
}
