//! Documents that nobody would write: none of them panics, and each finding helps.

use edgeway_core::config::{self, Availability, Diagnostic};
use serde_json::{Map, Value, json};

/// A small generator of repeatable randomness (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is below a usize")
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

const NAMES: [&str; 14] =
    ["chat", "fast", "openai", "groq", "ollama", "demo", "mine", "my-route", "a/b", "openai/gpt-4.1", "*", "", "é \u{7f}", "x.y"];
#[rustfmt::skip]
const TEXTS: [&str; 40] = [
    "", "*", "gpt-*", "g*t", "openai/gpt-4.1", "fast", "demo/echo", "nobody/x", "/", "a/", "/a", "20s", "0s", "500ms", "9999d", "1h30m",
    "32MiB", "0B", "99999999GiB", "http://localhost:1/v1", "https://x.example/v1", "https://u:p@x/", "http://169.254.169.254", "ftp://x",
    "http://[::1", "OPENAI_API_KEY", KEY, "$KEY", "x-team", "authorization", "native", "none", "openai_chat",
    "gemini", "0.0.0.0:1", "127.0.0.1:0", "localhost:1", "\u{0}", "line\nbreak", "\u{1f980}\u{1f980}\u{1f980}\u{1f980}\u{1f980}\u{1f980}",
];
/// What must not be repeated in a message.
const KEY: &str = "sk-0123456789abcdef0123456789";
const NUMBERS: [i64; 8] = [0, 1, -1, 20, 65536, 1_000_000_007, i64::MAX, i64::MIN];

/// A value that has nothing to do with its place.
fn anything(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth > 4 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => json!(random.once_in(2)),
        2 => json!(*random.pick(&NUMBERS)),
        3 => json!(1.5e300),
        4 => json!(*random.pick(&TEXTS)),
        5 => (0..random.below(4)).map(|_| anything(random, depth + 1)).collect(),
        _ => {
            Value::Object((0..random.below(4)).map(|_| (random.pick(&NAMES).to_string(), anything(random, depth + 1))).collect())
        }
    }
}

/// A value that mostly fits a schema.
fn fitting(random: &mut Random, schema: &Value, wild: usize) -> Value {
    if random.once_in(wild) {
        return anything(random, 0);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let one = random.pick(any);
        return fitting(random, one, wild);
    }
    if let Some(words) = schema["enum"].as_array() {
        return random.pick(words).clone();
    }
    match schema["type"].as_str() {
        Some("boolean") => json!(random.once_in(2)),
        Some("integer") => json!(*random.pick(&NUMBERS)),
        Some("array") => (0..random.below(4)).map(|_| fitting(random, &schema["items"], wild)).collect(),
        Some("object") => {
            let mut object = Map::new();
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                if random.once_in(3) {
                    object.insert(name.clone(), fitting(random, field, wild));
                }
            }
            if schema["additionalProperties"].is_object() || random.once_in(wild) {
                for _ in 0..random.below(4) {
                    let value = fitting(random, &schema["additionalProperties"], wild);
                    object.insert(random.pick(&NAMES).to_string(), value);
                }
            }
            Value::Object(object)
        }
        _ => json!(*random.pick(&TEXTS)),
    }
}

fn helpful(found: &[Diagnostic], text: &str) {
    for diagnostic in found {
        let complete = !diagnostic.path.is_empty() && !diagnostic.message.is_empty() && !diagnostic.help.is_empty();
        assert!(complete && diagnostic.message.len() < 1000, "{diagnostic}\n{text}");
        let place = &diagnostic.path;
        let for_secrets = place.ends_with(".key") || place.contains(".keys") || place.contains(".headers.");
        assert!(!for_secrets || !diagnostic.to_string().contains(KEY), "{diagnostic}");
        serde_json::to_string(diagnostic).expect("a diagnostic is JSON");
    }
}

fn try_document(text: &str, environment: &[(String, String)]) -> bool {
    let available = Availability { secrets: ["OPENAI_API_KEY".to_owned()].into(), ..Availability::default() };
    let loaded = match config::load(Some(("random", text)), environment.iter().cloned()) {
        Ok(loaded) => loaded,
        Err(found) => {
            assert!(!found.is_empty());
            helpful(&found, text);
            return false;
        }
    };
    match config::compile(&loaded, &available) {
        Err(found) => {
            assert!(found.iter().any(|diagnostic| diagnostic.severity == config::Severity::Error));
            helpful(&found, text);
            false
        }
        Ok((compiled, found)) => {
            helpful(&found, text);
            // What is accepted means the same when it is written down as one document.
            let json = serde_json::to_string(&loaded.document).expect("a document is JSON");
            let again =
                config::load(Some(("again", &json)), []).unwrap_or_else(|found| panic!("{}\n{json}", config::render(&found)));
            assert_eq!(again.document, loaded.document, "{json}");
            let (recompiled, _) =
                config::compile(&again, &available).unwrap_or_else(|found| panic!("{}", config::render(&found)));
            assert_eq!(recompiled.version, compiled.version);
            true
        }
    }
}

#[test]
fn random_documents_never_panic_and_accepted_ones_round_trip() {
    let schema = config::schema();
    let mut random = Random(0x5eed_0001);
    let mut accepted = 0;
    for round in 0..1200 {
        let wild = [6, 40, 100_000][round % 3];
        let mut document = fitting(&mut random, &schema, wild);
        if !document.is_object() {
            document = json!({ "routes": document });
        }
        accepted += usize::from(try_document(&document.to_string(), &[]));
    }
    assert!(accepted > 30, "only {accepted} were accepted");
}

#[test]
fn random_variables_never_panic() {
    let schema = config::schema();
    let mut random = Random(0x5eed_0002);
    let sections: Vec<String> = schema["properties"].as_object().expect("sections").keys().cloned().collect();
    for _ in 0..800 {
        let variables: Vec<(String, String)> = (0..1 + random.below(4))
            .map(|_| {
                let section = random.pick(&sections).clone();
                let mut name = format!("EDGEWAY__{}", section.to_uppercase());
                let mut at = &schema["properties"][&section];
                while let Some(next) = descend(&mut random, at) {
                    name.push_str("__");
                    name.push_str(&next.0.to_uppercase().replace(['-', '.', '/', ' '], "_"));
                    at = next.1;
                }
                let value = fitting(&mut random, at, 10);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (name, if random.once_in(20) { format!("{{{text}") } else { text })
            })
            .collect();
        try_document("", &variables);
    }
}

fn descend<'a>(random: &mut Random, schema: &'a Value) -> Option<(String, &'a Value)> {
    if random.once_in(6) {
        return None;
    }
    if let Some(properties) = schema["properties"].as_object() {
        let (name, field) = properties.iter().nth(random.below(properties.len()))?;
        return Some((name.clone(), field));
    }
    let rest = &schema["additionalProperties"];
    rest.is_object().then(|| (random.pick(&NAMES).to_string(), rest))
}

#[test]
fn a_document_cut_or_corrupted_anywhere_never_panics() {
    let reference = config::reference();
    let text = reference.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    for ((at, _), junk) in text.char_indices().zip(["\"", "[", "=", "\u{0}", "\n"].iter().cycle()) {
        try_document(&text[..at], &[]);
        try_document(&format!("{}{junk}{}", &text[..at], &text[at..]), &[]);
    }
}

#[test]
fn a_large_document_is_no_trap() {
    let route = |n| format!("[routes.r{n}]\nmodels = [\"m{n}*\"]\ntargets = [\"a{n}\", \"x{n}/y\"]\n");
    let alias = |n| format!("[models.a{n}]\ntarget = \"a{}\"\n", n + 1);
    let text: String = (0..3000).map(route).chain((0..3000).map(alias)).collect();
    let loaded = config::load(Some(("large", &text)), []).expect("valid TOML");
    let found = config::compile(&loaded, &Availability::default()).expect_err("nothing in it is right");
    assert!(found.len() < 1000, "{} findings are more than anybody reads", found.len());
    let mut errors = found.iter().filter(|diagnostic| diagnostic.severity == config::Severity::Error);
    let last = errors.next_back().expect("an error");
    assert!(last.message.contains("more errors"), "{last}");
}
