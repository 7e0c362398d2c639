//! `cargo xtask record <provider>`: asks a real provider what the conformance suite's providers are asked, and keeps what it answers.
//!
//! The questions are the `[provider.<name>] request`s of `tests/cases/matrix`, each whole and streamed; the
//! answers go to `tests/recorded/<provider>/`, where the suite holds its own readers and core's decoders against them. The key comes from
//! the provider's usual variable and travels to curl on its standard input, so it is in no command line and no file.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::Options;
use crate::report::Report;
use crate::workspace;

/// How a provider is asked.
struct Api {
    name: &'static str,
    base_url: &'static str,
    key: &'static str,
    model: &'static str,
    header: fn(&str) -> String,
    path: fn(&str, bool) -> String,
}

const APIS: [Api; 3] = [
    Api {
        name: "openai",
        base_url: "https://api.openai.com/v1",
        key: "OPENAI_API_KEY",
        model: "gpt-4.1-mini",
        header: |key| format!("authorization: Bearer {key}"),
        path: |_, _| "/chat/completions".into(),
    },
    Api {
        name: "anthropic",
        base_url: "https://api.anthropic.com/v1",
        key: "ANTHROPIC_API_KEY",
        model: "claude-sonnet-4-5",
        header: |key| format!("x-api-key: {key}"),
        path: |_, _| "/messages".into(),
    },
    Api {
        name: "gemini",
        base_url: "https://generativelanguage.googleapis.com/v1beta",
        key: "GEMINI_API_KEY",
        model: "gemini-2.5-flash",
        header: |key| format!("x-goog-api-key: {key}"),
        path: |model, stream| match stream {
            true => format!("/models/{model}:streamGenerateContent?alt=sse"),
            false => format!("/models/{model}:generateContent"),
        },
    },
];

/// Asks everything; says whether every question got a success.
pub(crate) fn run(provider: &str, options: &Options) -> bool {
    let mut report = Report::new("record", options);
    let _ = (|| {
        let mut api = None;
        report.check("provider", || {
            let found =
                APIS.iter().find(|api| api.name == provider).ok_or(format!("{provider} is not openai, anthropic or gemini"))?;
            let key = std::env::var(found.key).map_err(|_| format!("set {} to a key of {provider}", found.key))?;
            api = Some((found, key));
            Ok(String::new())
        })?;
        let Some((api, key)) = api else { return Ok(()) };
        let mut questions = Vec::new();
        report.check("questions", || {
            questions = read_questions(api.name)?;
            Ok(format!("{} of the suite's matrix", questions.len()))
        })?;
        for (feature, question) in &questions {
            for stream in [false, true] {
                let name = format!("{feature}, {}", if stream { "streamed" } else { "whole" });
                report.check(&name, || record(api, &key, feature, question, stream, options))?;
            }
        }
        Ok::<_, crate::report::Broken>(())
    })();
    report.end()
}

/// What the suite's providers are asked, by feature. Cases about failures ask nothing of their own.
fn read_questions(provider: &str) -> Result<Vec<(String, serde_json::Value)>, String> {
    let mut questions = Vec::new();
    for file in workspace::files()?.into_iter().filter(|file| file.starts_with("tests/cases/matrix/")) {
        let text = std::fs::read_to_string(workspace::root().join(&file)).map_err(|error| format!("{file}: {error}"))?;
        let table: toml::Table = toml::from_str(&text).map_err(|error| format!("{file}: {error}"))?;
        let feature = file.trim_start_matches("tests/cases/matrix/").trim_end_matches(".toml").to_owned();
        let asked = table.get("provider").and_then(|providers| providers.get(provider)?.get("request")?.as_str());
        if let Some(asked) = asked {
            questions.push((feature, serde_json::from_str(asked).map_err(|error| format!("{file}: {error}"))?));
        }
    }
    if questions.is_empty() { Err("the matrix holds no question".into()) } else { Ok(questions) }
}

fn record(
    api: &Api,
    key: &str,
    feature: &str,
    question: &serde_json::Value,
    stream: bool,
    options: &Options,
) -> Result<String, String> {
    let model = options.model.as_deref().unwrap_or(api.model);
    let mut body = question.clone();
    if api.name != "gemini" {
        body["model"] = model.into();
        if stream {
            body["stream"] = true.into();
        }
        if stream && api.name == "openai" {
            body["stream_options"] = serde_json::json!({"include_usage": true});
        }
    }
    let folder = workspace::root().join("tests/recorded").join(api.name);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let file = folder.join(format!("{feature}.{}", if stream { "sse" } else { "json" }));
    let base = options.base_url.as_deref().unwrap_or(api.base_url).trim_end_matches('/');
    let address = format!("{base}{}", (api.path)(model, stream));
    let config = format!(
        "url = {}\nheader = {}\nheader = \"content-type: application/json\"\nheader = \"anthropic-version: 2023-06-01\"\n\
         data-raw = {}\noutput = {}\nwrite-out = \"%{{http_code}}\"\nsilent\nshow-error\nno-buffer\nmax-time = 120\n",
        quoted(&address),
        quoted(&(api.header)(key)),
        quoted(&body.to_string()),
        quoted(&file.to_string_lossy()),
    );
    let mut curl = Command::new("curl")
        .args(["--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("curl did not start: {error}"))?;
    // Dropped at once, so that curl sees the end of its configuration.
    let written = curl.stdin.take().map(|mut input| input.write_all(config.as_bytes()));
    let output = curl.wait_with_output().map_err(|error| format!("curl: {error}"))?;
    written.transpose().map_err(|error| format!("curl did not read its configuration: {error}"))?;
    let status = String::from_utf8_lossy(&output.stdout).into_owned();
    if status != "200" {
        let answer = std::fs::read_to_string(&file).unwrap_or_default();
        let _ = std::fs::remove_file(&file); // an error is no recording
        return Err(format!("{status} {}{answer}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(format!("{}", file.strip_prefix(workspace::root()).unwrap_or(&file).display()))
}

/// A value in curl's configuration language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_holds_questions_for_every_provider() {
        for api in &APIS {
            let questions = read_questions(api.name).unwrap();
            assert!(questions.iter().any(|(feature, _)| feature == "tools"), "{}", api.name);
        }
    }

    #[test]
    fn values_are_quoted_for_curl() {
        assert_eq!(quoted("{\"a\": \"b\\n\"}"), r#""{\"a\": \"b\\n\"}""#);
    }
}
