//! A token's form: three parts, strictly read (RFC 7515, compact serialisation).
//!
//! Nothing in a header chooses a key but its `kid`, which is a name and nothing more: `jku`, `x5u`, `x5c` and `jwk` are not
//! read. A header that demands something (`crit`, `b64`) is refused, for nothing of that kind is understood.
//!
//! Invariant: a part is base64url without padding, white space or stray bits, so one token has one spelling.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::algorithm::Algorithm;
use crate::wire::strict;

/// The longest token, in bytes.
pub(super) const LONGEST: usize = 16 << 10;
/// The longest name of a key, in bytes.
const LONGEST_KID: usize = 512;

/// A token in its parts, none of them verified.
#[derive(Debug)]
pub(super) struct Jws<'a> {
    /// How it says that it is signed.
    pub(super) algorithm: Algorithm,
    /// The name of the key that signed it.
    pub(super) kid: Option<String>,
    /// What was signed: the first two parts as they came.
    pub(super) signed: &'a [u8],
    /// The second part: JSON, if it is a token.
    pub(super) payload: Vec<u8>,
    /// The third part.
    pub(super) signature: Vec<u8>,
}

/// What is read of a header.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
}

impl<'a> Jws<'a> {
    /// Reads a token. Fails with why, for the operator.
    pub(super) fn read(token: &'a str) -> Result<Self, &'static str> {
        if token.len() > LONGEST {
            return Err("the token is longer than 16 KiB");
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("the token has not three parts");
        };
        let bytes = |part: &str| match part {
            "" => Err("a part of the token is empty"),
            part => URL_SAFE_NO_PAD.decode(part).map_err(|_| "a part of the token is not strict base64url"),
        };
        let text = bytes(header)?;
        let object = strict::object(&text).map_err(|_| "the header is no JSON object, or has a key twice")?;
        if ["crit", "b64", "zip"].iter().any(|key| object.value(key).is_some()) {
            return Err("the header demands an extension");
        }
        let Header { alg, kid, typ } =
            serde_json::from_slice(&text).map_err(|_| "the header lacks `alg`, or has it as no string")?;
        let algorithm = Algorithm::named(&alg).ok_or("the header's `alg` is none that is known")?;
        if kid.as_ref().is_some_and(|kid| kid.len() > LONGEST_KID) {
            return Err("the header's `kid` is longer than 512 bytes");
        }
        if typ.as_deref().is_some_and(|typ| !is_token(typ)) {
            return Err("the header's `typ` is that of something else");
        }
        let signed = token.as_bytes().get(..header.len() + 1 + payload.len()).unwrap_or_default();
        Ok(Self { algorithm, kid, signed, payload: bytes(payload)?, signature: bytes(signature)? })
    }
}

/// Whether a media type is that of a token (RFC 7519, 5.1; RFC 9068, 2.1), and not of a logout or proof of possession that an
/// issuer signs with the same keys.
fn is_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt" | "id+jwt" | "jws" | "jose")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode("sig"))
    }

    fn refused(token: &str) -> &'static str {
        Jws::read(token).expect_err(token)
    }

    #[test]
    fn a_token_is_read_into_its_parts() {
        let token = token(r#"{"alg":"ES256","kid":"a","typ":"at+JWT","jwk":{"kty":"oct"},"jku":"https://evil.example"}"#);
        let jws = Jws::read(&token).expect("it is well formed");
        assert_eq!((jws.algorithm, jws.kid.as_deref()), (Algorithm::Es256, Some("a")));
        assert_eq!((&jws.payload[..], &jws.signature[..]), (&b"{}"[..], &b"sig"[..]));
        assert_eq!(jws.signed, token.rsplit_once('.').expect("it has parts").0.as_bytes());
    }

    #[test]
    fn a_token_has_three_parts_and_none_is_empty() {
        for bad in ["", ".", "..", "a", "e30.e30", "e30.e30.e30.", "e30.e30.e30.e30", ".e30.e30", "e30..e30", "e30.e30."] {
            refused(bad);
        }
        let json = r#"{"payload":"e30","protected":"eyJhbGciOiJFUzI1NiJ9","signature":"c2ln"}"#;
        refused(json);
        refused(&format!("e30.{}.e30", "A".repeat(LONGEST)));
    }

    #[test]
    fn base64url_has_one_spelling() {
        let good = token(r#"{"alg":"ES256"}"#);
        assert!(Jws::read(&good).is_ok());
        let (signed, _) = good.rsplit_once('.').expect("it has parts");
        assert!(signed.len() < good.len() && good.ends_with("c2ln"));
        // Padding, white space, the other alphabet, a letter too few or too many, bits that say nothing.
        for signature in ["c2ln=", "c2ln==", " c2ln", "c2l\nn", "c2ln\n", "c2+n", "c2/n", "c", "c2lnn", "c2l", "c2lr\u{e9}"] {
            refused(&format!("{signed}.{signature}"));
        }
    }

    #[test]
    fn what_a_header_may_not_say() {
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"NONE"}"#,
            r#"{"alg":"es256"}"#,
            r#"{"alg":""}"#,
            r#"{"alg":["ES256"]}"#,
            r#"{"alg":null}"#,
            r#"{}"#,
            r#"[]"#,
            r#"{"alg":"ES512"}"#,
            r#"{"alg":"RSA-OAEP"}"#,
            r#"{"alg":"ES256","alg":"HS256"}"#,
            r#"{"alg":"ES256","\u0061lg":"HS256"}"#,
            r#"{"alg":"ES256","kid":7}"#,
            r#"{"alg":"ES256","crit":["exp"]}"#,
            r#"{"alg":"ES256","crit":[]}"#,
            r#"{"alg":"ES256","b64":false}"#,
            r#"{"alg":"ES256","zip":"DEF"}"#,
            r#"{"alg":"ES256","typ":"logout+jwt"}"#,
            r#"{"alg":"ES256","typ":"dpop+jwt"}"#,
            r#"{"alg":"ES256"} x"#,
            "{\"alg\":\"ES256\",\"kid\":\"\u{0}\"}",
        ] {
            refused(&token(header));
        }
        refused(&token(&format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(LONGEST_KID + 1))));
    }
}
