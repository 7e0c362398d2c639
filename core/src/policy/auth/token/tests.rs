//! Tokens as a gateway sees them: a scripted issuer, a clock that stands still, and keys of the tests' own.

mod asking;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;
use crate::body::Body;
use crate::config::{self, Availability};
use crate::ports::Timestamp;
use crate::ports::memory::{ManualClock, MemoryPorts, ScriptedHttp};

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
const ISSUER: &str = "https://login.example";

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A P-256 key of the tests' own; `number` tells it from others.
fn signer(number: u8) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[number; 32]).expect("a scalar")
}

fn published(number: u8, kid: &str) -> Value {
    let point = signer(number).verifying_key().to_sec1_point(false).as_bytes().to_vec();
    json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": text(&point[1..33]), "y": text(&point[33..])})
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "edgeway", "sub": "ada", "exp": 1_900_000_000})
}

fn signed(number: u8, header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
    let signature: p256::ecdsa::Signature = signer(number).sign(signed.as_bytes());
    format!("{signed}.{}", text(signature.to_bytes()))
}

/// A good token of key `number`, named `kid`.
fn token(number: u8, kid: &str) -> String {
    signed(number, &json!({"alg": "ES256", "kid": kid}), &claims())
}

fn coded(secret: &[u8], header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
    let code = Hmac::<Sha256>::new_from_slice(secret).expect("any length").chain_update(&signed).finalize().into_bytes();
    format!("{signed}.{}", text(code))
}

/// What the scripted issuers publish, and how often they were asked for it.
#[derive(Default)]
struct Published {
    /// Answers by address; one that is missing is no connection.
    answers: Mutex<Vec<(String, Value)>>,
    asked: AtomicUsize,
}

impl Published {
    fn publish(&self, address: &str, answer: Value) {
        let mut answers = self.answers.lock().expect("not poisoned");
        answers.retain(|(known, _)| known != address);
        answers.push((address.to_owned(), answer));
    }

    fn go_away(&self) {
        self.answers.lock().expect("not poisoned").clear();
    }

    /// How often a key set was asked for.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

struct World {
    memory: MemoryPorts,
    issuers: Arc<Published>,
    config: Config,
    tokens: Tokens,
}

fn world(sections: &str) -> World {
    let clock = Arc::new(ManualClock::skipping(NOW));
    let issuers = Arc::new(Published::default());
    let script = issuers.clone();
    let http = ScriptedHttp::new(clock.clone(), move |outbound| {
        let address = outbound.request.uri().to_string();
        if !address.contains("openid-configuration") {
            script.asked.fetch_add(1, Ordering::Relaxed);
        }
        let answers = script.answers.lock().expect("not poisoned");
        let answer = answers.iter().find(|(known, _)| *known == address).map(|(_, answer)| answer.to_string());
        let away = || Error::new(ErrorKind::UpstreamUnavailable, "away").source("no connection");
        async move { answer.map(|answer| http::Response::new(Body::from(answer))).ok_or_else(away) }.boxed()
    });
    World { memory: MemoryPorts::new(clock, Arc::new(http)), issuers, config: configured(sections), tokens: Tokens::default() }
}

fn configured(sections: &str) -> Config {
    let text = format!("[auth]\nkeys = [\"K\"]\n{sections}");
    let secrets: BTreeSet<String> = ["K", "S"].map(str::to_owned).into_iter().collect();
    let loaded = config::load(Some(("f", &text)), []).unwrap_or_else(|found| panic!("{}", config::render(&found)));
    let compiled = config::compile(&loaded, &Availability { secrets, ..Availability::default() });
    compiled.unwrap_or_else(|found| panic!("{}", config::render(&found))).0
}

const ONE: &str = "[auth.issuers.one]\nissuer = \"https://login.example\"\naudience = [\"edgeway\"]\n";

/// One issuer that publishes key 1 as `a`.
fn usual() -> World {
    let world = world(ONE);
    world.discoverable(ISSUER);
    world.publish(ISSUER, &[published(1, "a")]);
    world
}

impl World {
    fn discoverable(&self, issuer: &str) {
        let answer = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys"), "token_endpoint": format!("{issuer}/token")});
        self.issuers.publish(&format!("{issuer}/.well-known/openid-configuration"), answer);
    }

    fn publish(&self, issuer: &str, keys: &[Value]) {
        self.issuers.publish(&format!("{issuer}/keys"), json!({"keys": keys}));
    }

    fn verify(&self, token: &str) -> Result<Bearer> {
        self.tokens.verify(token, &self.memory.ports, &self.config).now_or_never().expect("memory never waits")
    }

    fn good(&self, token: &str) -> Bearer {
        self.verify(token).unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Why a token was refused; the caller hears the same of all.
    fn refused(&self, token: &str) -> String {
        let error = self.verify(token).expect_err(token);
        let everybody = crate::policy::auth::refused();
        assert_eq!((error.kind, &error.message), (everybody.kind, &everybody.message), "{error:?}");
        error.source.expect("the operator is told")
    }

    fn advance(&self, seconds: u64) {
        self.memory.clock.advance(Duration::from_secs(seconds));
    }
}

#[test]
fn a_good_token_says_who_holds_it() {
    let world = usual();
    let bearer = world.good(&token(1, "a"));
    assert_eq!((bearer.issuer.as_str(), bearer.subject.as_str(), bearer.tenant), ("one", "ada", None));
    assert_eq!(bearer.user.expect("the subject").as_str(), "ada");
}

#[test]
fn a_token_looks_like_one() {
    assert!(Tokens::looks_like(&token(1, "a")) && Tokens::looks_like("eyJhbGciOiJub25lIn0.e30."));
    for key in ["", "ew_live_a_b_c", "sk-eyJ.a.b", "eyJa.b", "eyJa.b.c.d", "a.b.c"] {
        assert!(!Tokens::looks_like(key), "{key}");
    }
}

#[test]
fn whatever_is_wrong_with_a_token_its_caller_hears_the_same() {
    let world = usual();
    let es256 = json!({"alg": "ES256", "kid": "a"});
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        signed(1, &es256, &claims)
    };
    let good = token(1, "a");
    let (head, signature) = good.rsplit_once('.').expect("it has parts");
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    flipped[7] ^= 1;
    for (token, why) in [
        (token(2, "a"), "signature"),
        (token(1, "b"), "no key of that name"),
        (format!("{head}.{}", text(flipped)), "signature"),
        (format!("{head}.{}", text([0; 64])), "signature"),
        (format!("{head}.{}", text([0; 63])), "signature"),
        (
            format!("{}.{}.{signature}", text(es256.to_string()), text(json!({"iss": ISSUER, "aud": "edgeway"}).to_string())),
            "signature",
        ),
        (with("exp", json!(1_799_999_970)), "expired"),
        (with("exp", json!("1800000600")), "no number"),
        (with("exp", json!(null)), "no number"),
        (with("nbf", json!(1_800_000_031)), "not good yet"),
        (with("aud", json!("others")), "somebody else"),
        (with("iss", json!("https://login.example/")), "no issuer that is configured"),
        (with("iss", json!(["https://login.example"])), "names no issuer"),
    ] {
        let said = world.refused(&token);
        assert!(said.contains(why), "{said}, not {why}");
    }
    world.good(&good);
}

#[test]
fn no_algorithm_but_the_keys_own_is_taken() {
    let world = usual();
    let key = published(1, "a");
    let point = signer(1).verifying_key().to_sec1_point(false).as_bytes().to_vec();
    // What can be known of the public key, as the secret of an HMAC.
    for secret in [point, key.to_string().into_bytes(), key["x"].as_str().expect("a text").as_bytes().to_vec(), Vec::new()] {
        for alg in ["HS256", "HS384", "HS512"] {
            world.refused(&coded(&secret, &json!({"alg": alg, "kid": "a"}), &claims()));
        }
    }
    for alg in ["none", "None", "ES384", "ES512", "RS256", "PS256", "EdDSA", "ES256K", ""] {
        world.refused(&signed(1, &json!({"alg": alg, "kid": "a"}), &claims()));
    }
    let unsigned = format!("{}.{}.", text(r#"{"alg":"none","kid":"a"}"#), text(claims().to_string()));
    assert!(Tokens::looks_like(&unsigned));
    world.refused(&unsigned);
    world.refused(&format!("{unsigned}AA"));
}

#[test]
fn a_key_that_a_token_brings_along_is_not_used() {
    let world = usual();
    let own = published(2, "a");
    for header in [
        json!({"alg": "ES256", "kid": "a", "jwk": own}),
        json!({"alg": "ES256", "jwk": own}),
        json!({"alg": "ES256", "kid": "a", "jku": "https://evil.example/keys"}),
        json!({"alg": "ES256", "kid": "a", "x5u": "https://evil.example/cert"}),
        json!({"alg": "ES256", "kid": "https://evil.example/keys"}),
        json!({"alg": "ES256", "kid": "../../../dev/null"}),
    ] {
        world.refused(&signed(2, &header, &claims()));
        world.advance(31);
    }
    // The right key is the right key, whatever else a header says.
    world.good(&signed(1, &json!({"alg": "ES256", "kid": "a", "jku": "https://evil.example/keys"}), &claims()));
    assert!(world.issuers.asked() > 1);
}

#[test]
fn a_keys_name_is_matched_to_the_letter_and_may_be_left_out_where_one_key_fits() {
    let world = usual();
    for kid in ["A", "a ", "", "a\u{0}"] {
        world.refused(&token(1, kid));
    }
    let nameless = signed(1, &json!({"alg": "ES256"}), &claims());
    world.good(&nameless);
    world.advance(601);
    world.publish(ISSUER, &[published(1, "a"), published(2, "b")]);
    world.refused(&nameless);
    world.good(&token(2, "b"));
    // Two keys of one name: nobody knows which is meant.
    world.advance(601);
    world.publish(ISSUER, &[published(1, "a"), published(2, "a")]);
    world.refused(&token(1, "a"));
}

#[test]
fn a_key_that_is_for_something_else_signs_nothing() {
    for (field, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!([])),
        ("alg", json!("ES384")),
        ("alg", json!("ECDH-ES")),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("kty", json!("oct")),
        ("kty", json!("OKP")),
        ("d", json!("AQEB")),
        ("x", json!("AQEB")),
        ("y", json!(text([1; 32]))),
        ("kid", json!(7)),
    ] {
        let world = usual();
        let mut key = published(1, "a");
        key[field] = value.clone();
        world.publish(ISSUER, &[key, published(2, "b")]);
        world.refused(&token(1, "a"));
        world.good(&token(2, "b"));
    }
    let world = usual();
    let mut key = published(1, "a");
    (key["alg"], key["key_ops"], key["x5c"]) = (json!("ES256"), json!(["verify"]), json!(["MII"]));
    world.publish(ISSUER, &[key, json!("not a key"), json!({})]);
    world.good(&token(1, "a"));
}

#[test]
fn a_secret_checks_tokens_only_where_it_is_configured() {
    let secret = "a-secret-of-more-than-thirty-two-bytes";
    let world = world("[auth.issuers.one]\nissuer = \"https://login.example\"\naudience = [\"edgeway\"]\nsecret = \"S\"\n");
    let good = coded(secret.as_bytes(), &json!({"alg": "HS256"}), &claims());
    for set in [None, Some(""), Some("short")] {
        set.iter().for_each(|value| world.memory.secrets.set("S", *value));
        assert_eq!(world.verify(&good).expect_err("no secret").kind, ErrorKind::Overloaded);
    }
    world.memory.secrets.set("S", secret);
    world.good(&good);
    world.refused(&coded(b"another-secret-of-more-than-32-bytes", &json!({"alg": "HS256"}), &claims()));
    world.refused(&token(1, "a"));
    let (head, code) = good.rsplit_once('.').expect("it has parts");
    let short = URL_SAFE_NO_PAD.decode(code).expect("base64url")[..16].to_vec();
    world.refused(&format!("{head}.{}", text(short)));
    assert_eq!(world.issuers.asked(), 0);
}

#[test]
fn two_issuers_may_name_their_keys_alike() {
    let world = world(&format!(
        "{ONE}tenant = \"acme\"\n[auth.issuers.two]\nissuer = \"https://id.other.example\"\naudience = [\"edgeway\"]\ntenant = \"other\"\n"
    ));
    let other = "https://id.other.example";
    for (issuer, number) in [(ISSUER, 1), (other, 2)] {
        world.discoverable(issuer);
        world.publish(issuer, &[published(number, "a")]);
    }
    let of = |issuer: &str, number: u8| {
        let mut claims = claims();
        claims["iss"] = json!(issuer);
        signed(number, &json!({"alg": "ES256", "kid": "a"}), &claims)
    };
    let tenant = |token: &str| world.good(token).tenant.expect("it has one").as_str().to_owned();
    assert_eq!((tenant(&of(ISSUER, 1)), tenant(&of(other, 2))), ("acme".to_owned(), "other".to_owned()));
    world.refused(&of(ISSUER, 2));
    world.refused(&of(other, 1));
}

#[test]
fn one_issuer_serves_callers_and_administrators_by_audience() {
    let world = world(&format!(
        "{ONE}[auth.issuers.staff]\nissuer = \"{ISSUER}\"\naudience = [\"admin\"]\nadmin = true\nrole = \"owner\"\n"
    ));
    world.discoverable(ISSUER);
    world.publish(ISSUER, &[published(1, "a")]);
    let of = |audience: Value| {
        let mut claims = claims();
        claims["aud"] = audience;
        signed(1, &json!({"alg": "ES256", "kid": "a"}), &claims)
    };
    assert_eq!((world.good(&of(json!("edgeway"))).admin, world.good(&of(json!("admin"))).admin), (false, true));
    assert!(world.refused(&of(json!(["admin", "edgeway"]))).contains("two"));
    assert_eq!(world.issuers.asked(), 1, "they share the keys");
}
