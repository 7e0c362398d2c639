//! `docs/identity.md` shows what happens: each of its requests is sent, in order, and answered as it says.

use std::collections::BTreeMap;

use super::*;

/// A text with the values that earlier answers gave to its `$NAMES`.
fn filled(text: &str, known: &BTreeMap<String, String>) -> String {
    // The longest first: `$ID` is the beginning of none, but `$KEY` might be.
    let mut names: Vec<_> = known.iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names.into_iter().fold(text.to_owned(), |text, (name, value)| text.replace(name.as_str(), value))
}

/// Whether an answer has what is shown of it. `"..."` is any text, `"$NAME"` one that is remembered, or the remembered one.
fn shown(expected: &Value, actual: &Value, known: &mut BTreeMap<String, String>) -> bool {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            expected.iter().all(|(name, expected)| actual.get(name).is_some_and(|actual| shown(expected, actual, known)))
        }
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len() && expected.iter().zip(actual).all(|(expected, actual)| shown(expected, actual, known))
        }
        (Value::String(expected), Value::String(actual)) if expected.starts_with('$') => {
            known.entry(expected.clone()).or_insert_with(|| actual.clone()) == actual
        }
        (Value::String(expected), Value::String(_)) if expected == "..." => true,
        _ => expected == actual,
    }
}

#[test]
fn the_guide_to_identity_shows_what_happens() {
    let guide = include_str!("../../../../docs/identity.md");
    let blocks = super::config::blocks(guide);
    let folder = Folder::new();
    let (_, file) = blocks.iter().find(|(language, _)| *language == "toml").expect("the file");
    folder.write("edgeway.toml", &format!("{file}\n[server]\nstore = \"memory\"\n"));
    let gateway = Gateway::start_with(folder, &[], &[("EDGEWAY_BOOTSTRAP", "the-bootstrap-secret")]);
    let mut known = BTreeMap::new();
    let mut requests = 0;
    for pair in blocks.windows(2) {
        let [("http", request), ("json", answer)] = pair else { continue };
        let request = filled(request, &known);
        let (head, body) = request.split_once("\n\n").unwrap_or((&request, ""));
        let (head, body) = (head.trim_end().replace('\n', "\r\n"), body.trim_end());
        let answered = gateway.client().send(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).answer().json();
        let expected: Value = serde_json::from_str(answer).expect("JSON");
        assert!(shown(&expected, &answered, &mut known), "{request}\nis not answered\n{answer}\nbut\n{answered}");
        requests += 1;
    }
    assert_eq!(requests, blocks.iter().filter(|(language, _)| *language == "http").count(), "each has its answer");
    assert!(requests > 10, "{requests}");
    let log: Vec<String> = gateway.log.iter().filter(|line| line.contains("\"status\"")).take(requests).collect();
    assert_eq!(log.len(), requests, "each leaves a line");
    for (name, value) in known.iter().filter(|(name, _)| !name.contains("ID")) {
        assert!(!log.iter().any(|line| line.contains(value.as_str())), "{name} is in the log");
    }
}

/// A request with a JSON body and a key.
fn asked(gateway: &Gateway, line: &str, key: &str, body: &str) -> Value {
    let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json");
    gateway.client().send(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).answer().json()
}

#[test]
fn a_revoked_key_is_refused_by_every_instance_within_two_seconds() {
    let redis = support::redis::Redis::start(&[]);
    let file =
        format!("[auth]\nrequired = true\n[admin]\nkeys = [\"ADMIN\"]\n[server]\nstore = \"{}\"\n", redis.store("identity"));
    let instance = || {
        let folder = Folder::new();
        folder.write("edgeway.toml", &file);
        Gateway::start_with(folder, &[], &[("ADMIN", "the-administrators-key")])
    };
    let instances = [instance(), instance(), instance(), instance()];
    let admin = |line: &str, body: &str| asked(&instances[0], line, "the-administrators-key", body);
    assert_eq!(admin("POST /admin/v1/tenants", r#"{"id": "acme"}"#)["id"], "acme");
    let chat = r#"{"model": "demo/echo", "messages": [{"role": "user", "content": "Hello"}]}"#;
    let good = |gateway: &Gateway, key: &str| {
        let answer = asked(gateway, "POST /v1/chat/completions", key, chat);
        assert!(answer["error"].is_null() || answer["error"]["code"] == "invalid_api_key", "{answer}");
        answer["error"].is_null()
    };
    for _ in 0..5 {
        let made = admin("POST /admin/v1/tenants/acme/keys", "{}");
        let (id, key) = (made["id"].as_str().expect("an id"), made["key"].as_str().expect("a key"));
        assert!(instances.iter().all(|gateway| good(gateway, key)), "a new key is good everywhere at once");
        assert!(!admin(&format!("POST /admin/v1/tenants/acme/keys/{id}/revoke"), "")["revoked"].is_null());
        let revoked = std::time::Instant::now();
        assert!(!good(&instances[0], key), "where it was revoked it is refused at once");
        // Asked all the time, as a key in use is: nothing may make it last longer.
        while instances.iter().any(|gateway| good(gateway, key)) {
            assert!(revoked.elapsed() < std::time::Duration::from_secs(2), "it is good for longer than two seconds");
        }
    }
}
