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
