//! What is generated from the types is what is committed, and every example in it works.

use edgeway_core::config::{self, Availability, Loaded};
use serde_json::Value;

use crate::{committed, root};

/// A document with every secret that it names set.
fn check(name: &str, text: &str) -> Result<Loaded, String> {
    let loaded = config::load(Some((name, text)), []).map_err(|found| config::render(&found))?;
    let available = Availability {
        secrets: config::secret_names(&loaded),
        reachable: ["ollama".to_owned()].into(),
        ..Availability::default()
    };
    match config::compile(&loaded, &available) {
        Ok((_, warnings)) if warnings.is_empty() => Ok(loaded),
        Ok((_, found)) | Err(found) => Err(format!("{text}\n{}", config::render(&found))),
    }
}

/// The code blocks of a language in a Markdown text.
fn blocks<'a>(markdown: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    markdown.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_committed_reference_is_the_generated_one() {
    committed(&root().join("docs/config.md"), &config::reference()).unwrap_or_else(|difference| panic!("{difference}"));
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let text = serde_json::to_string_pretty(&config::schema()).expect("a schema is JSON") + "\n";
    committed(&root().join("docs/edgeway.schema.json"), &text).unwrap_or_else(|difference| panic!("{difference}"));
}

#[test]
fn every_example_of_the_reference_checks_without_a_finding() {
    let reference = config::reference();
    let examples = blocks(&reference, "toml");
    assert!(examples.len() >= 5, "{} examples", examples.len());
    for example in examples {
        let loaded = check("docs/config.md", example).unwrap_or_else(|found| panic!("{found}"));
        let json = serde_json::to_value(&loaded.document).expect("a document is JSON");
        conforms(&json, &config::schema(), "document").unwrap_or_else(|why| panic!("the schema refuses an example: {why}"));
    }
}

#[test]
fn every_example_of_the_readme_checks_without_a_finding() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let examples = blocks(&readme, "toml");
    assert!(!examples.is_empty());
    examples.into_iter().for_each(|example| drop(check("README.md", example).unwrap_or_else(|found| panic!("{found}"))));
}

#[test]
fn the_starter_says_nothing_until_it_is_uncommented() {
    let starter = config::starter();
    assert!(starter.lines().all(|line| line.is_empty() || line.starts_with('#')));
    let loaded = check("edgeway.toml", &starter).unwrap_or_else(|found| panic!("{found}"));
    let without = config::load(None, []).expect("no file is fine");
    assert_eq!(loaded.document, without.document);

    let uncommented: Vec<&str> = starter
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .collect();
    assert!(uncommented.len() > 25, "{uncommented:?}");
    check("edgeway.toml", &uncommented.join("\n")).unwrap_or_else(|found| panic!("{found}"));
}

#[test]
fn every_field_has_a_sentence_that_ends() {
    fn walk(schema: &Value, at: &str) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let text = field["description"].as_str().unwrap_or("");
            assert!(text.len() > 10 && text.ends_with('.'), "{at}.{name}: {text:?}");
            walk(field, &format!("{at}.{name}"));
            walk(&field["additionalProperties"], &format!("{at}.{name}.*"));
        }
    }
    walk(&config::schema(), "");
}

/// Whether a value fits the parts of JSON Schema that ours uses (patterns aside).
fn conforms(value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    if let Some(any) = schema["anyOf"].as_array() {
        let fits = any.iter().any(|schema| conforms(value, schema, at).is_ok());
        return if fits { Ok(()) } else { Err(format!("{at}: fits none")) };
    }
    if let Some(words) = schema["enum"].as_array() {
        return if words.contains(value) { Ok(()) } else { Err(format!("{at}: {value} is no word of {words:?}")) };
    }
    let right = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        other => return Err(format!("{at}: the schema has type {other:?}")),
    };
    if !right {
        return Err(format!("{at}: {value} is not of type {}", schema["type"]));
    }
    for item in value.as_array().into_iter().flatten() {
        conforms(item, &schema["items"], at)?;
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let inner = match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => return Err(format!("{at}: has no field {name}")),
            (Value::Null, rest) => rest,
            (field, _) => field,
        };
        conforms(member, inner, &format!("{at}.{name}"))?;
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            return Err(format!("{at}: lacks {name}"));
        }
    }
    Ok(())
}
