//! Writes the reference, `docs/config.md`, from the types.
//!
//! The tables are the `///` lines of [`super::document`]; the default values are those that are read; the diagnostics shown
//! are what the checks say. Only the prose between is written here.

use std::fmt::Write as _;

use super::diagnostic::{alternatives, render};
use super::document::Document;
use super::load::load;
use super::shape::{Field, Kind, Section};

const HEAD: &str = r#"<!-- Generated from core/src/config. Do not edit: run `UPDATE=1 cargo test -p edgeway-core --test config`. -->

# Configuration

Edgeway starts without any configuration: every provider whose key variable is set is on (`OPENAI_API_KEY`,
`ANTHROPIC_API_KEY`, ...; `edgeway providers` lists them), a local Ollama is on if it answers, and `demo/echo` always is.
A request then names its model as `provider/model`, or by a bare name that one provider owns (`gpt-4.1`, `claude-sonnet-4-5`).

A file `edgeway.toml` says more: routes with fallbacks, aliases, providers of your own, limits, keys. `edgeway init` writes one
with every field in a comment, `edgeway check` reads it and reports everything that is wrong with it at once.

```toml
[auth]
keys = ["EDGEWAY_KEY"]            # the name of a variable that holds the key, never the key

[models.fast]                     # an alias: callers ask for the model "fast"
target = "groq/llama-3.1-8b-instant"

[routes.chat]                     # requests for any gpt model, with a fallback
models = ["gpt-*"]
targets = ["openai/gpt-4.1", "anthropic/claude-sonnet-4-5"]
timeout = "2m"

[providers.mine]                  # a provider of your own
base_url = "http://127.0.0.1:8000/v1"
models = ["qwen3-32b"]
```

## Layers

A value can come from several places. The later one in this list wins, field by field:

1. the gateway's defaults,
2. the file `edgeway.toml` (TOML; the same document as JSON is read as well),
3. the environment variable `EDGEWAY_CONFIG`, which may hold a whole document in TOML or JSON,
4. environment variables of single values,
5. the document that is stored with the gateway: pushed while it runs, with versions; see [config-versions.md](config-versions.md).

Tables merge key by key; anything else replaces what is below, lists too. In JSON, `null` takes a value of a lower layer away.

### Environment variables

`EDGEWAY__` and the path of a value, in upper case, its parts separated by two underscores:

| variable | sets |
|---|---|
| `EDGEWAY__SERVER__LISTEN=127.0.0.1:9000` | `server.listen` |
| `EDGEWAY__ROUTES__CHAT__TIMEOUT=20s` | `routes.chat.timeout` |
| `EDGEWAY__AUTH__KEYS=KEY_A,KEY_B` | `auth.keys`, a list separated by commas |
| `EDGEWAY__ROUTES__CHAT__TARGETS=["groq/llama-3.1-8b-instant"]` | `routes.chat.targets`, a list as JSON |
| `EDGEWAY__ROUTES__CHAT={"models":["*"],"targets":["demo/echo"]}` | a whole route as JSON |
| `EDGEWAY__MODELS__GPT_4_1__CONTEXT=1000000` | `models."gpt-4.1".context`, if a lower layer has that name |

A variable cannot spell dashes, dots and lower case. So a name that you chose is found by its letters and digits (`MY_ROUTE` is
the route `my-route`); if there is none, the variable makes one in lower case (`my_route`).

## Values

* **Durations** are whole numbers with a unit: `"500ms"`, `"20s"`, `"2m"`, `"1h30m"`. A number without a unit is refused.
* **Sizes** are whole numbers with a unit: `"32MiB"` (1024 x 1024 bytes each), `"10MB"` (1000 x 1000), `"4096B"`, or a bare number of
  bytes.
* **Secrets** are names. The native server looks for an environment variable of that name, other platforms in their own store of
  secrets. What looks like a key is refused.
* **Targets** are written `provider/model`; everything after the first slash is the model's name at the provider
  (`openrouter/meta-llama/llama-3.3-70b-instruct`). A route's targets may also be aliases.
* A field that Edgeway does not know is an error, with the nearest names that it does.

"#;

const TAIL: &str = r#"## More examples

Serve other machines, over TLS, with two keys so that one can be replaced while the other still works:

```toml
[server]
listen = "0.0.0.0:8443"
tls = { certificate = "/etc/edgeway/cert.pem", key = "/etc/edgeway/key.pem" }

[auth]
keys = ["EDGEWAY_KEY_NEW", "EDGEWAY_KEY_OLD"]
```

Send everything that is not routed elsewhere to a model on this machine, and give it time:

```toml
[routes.code]
models = ["claude-*"]
targets = ["anthropic/claude-sonnet-4-5"]

[routes.rest]
models = ["*"]
targets = ["ollama/qwen3:8b"]
timeouts = { first_byte = "10m", total = "30m" }
```

A provider that speaks two protocols, takes its key in a header of its own, and does some things differently:

```toml
[providers.acme]
title = "Acme Models"
speaks = [
  { dialect = "openai_chat", base_url = "https://llm.acme.example/v1" },
  { dialect = "anthropic_messages", base_url = "https://llm.acme.example/anthropic/v1" },
]
key = "ACME_API_KEY"
credential = { header = "x-acme-key" }
owns = ["acme-"]
models = ["acme-large", "acme-small"]
headers = { "x-project" = "search" }
quirks = { no_seed = true, max_tokens = "max_completion_tokens" }
timeouts = { first_byte = "2m" }

[models."acme/acme-large"]
context = 128000
max_output = 16000
```

Take a built-in provider through a proxy of your own, and switch another off:

```toml
[providers.openai]
base_url = "https://proxy.example.com/openai/v1"
key = "PROXY_KEY"

[providers.groq]
enabled = false
```
"#;

/// A document with mistakes that people make, for the chapter on diagnostics.
const MISTAKEN: &str = r#"[server]
listen = "0.0.0.0:8787"

[routes.chat]
model = ["gpt-*"]
targets = ["opnai/gpt-4.1"]
timeout = 20
"#;

/// The reference as Markdown.
pub fn reference() -> String {
    let mut out = HEAD.to_owned();
    section(&mut out, &[], 1, &Document::SECTION);
    out.push_str("## What `edgeway check` says\n\nEverything at once, each with its place and a way out. This document\n\n");
    let _ = write!(out, "```text\n{MISTAKEN}```\n\nis answered with\n\n```text\n{}```\n\n", mistaken());
    out.push_str(TAIL);
    out
}

fn mistaken() -> String {
    let loaded = load(Some(("edgeway.toml", MISTAKEN)), []);
    let found = loaded.and_then(|loaded| super::compile(&loaded, &super::Availability::default()));
    found.map_or_else(|found| render(&found), |(_, found)| render(&found))
}

/// Writes a section's chapter, then those of the sections in it; time budgets are the same everywhere and have one.
fn section(out: &mut String, at: &[&str], level: usize, section: &'static Section) {
    if at.is_empty() {
        out.push_str("## Sections\n\n");
    } else {
        let _ = write!(out, "{} `[{}]`\n\n{}\n\n", "#".repeat(level), at.join("."), paragraph(section.about));
    }
    out.push_str("| field | takes | default | |\n|---|---|---|---|\n");
    for field in section.fields {
        row(out, field);
    }
    out.push('\n');
    for field in section.fields {
        let mut inner = at.to_vec();
        inner.push(field.name);
        if let Some(next) = below(field.kind, &mut inner)
            && (at.is_empty() || field.name != "timeouts")
        {
            self::section(out, &inner, level + 1, next);
        }
    }
}

/// The section that a field leads to, with its path.
fn below(kind: Kind, path: &mut Vec<&str>) -> Option<&'static Section> {
    match kind {
        Kind::Section(section) => Some(section),
        Kind::Map(Kind::Section(section)) => {
            path.push("NAME");
            Some(section)
        }
        _ => None,
    }
}

fn row(out: &mut String, field: &Field) {
    let default = match (field.default, field.required) {
        (Some(text), _) => format!("`{}`", toml(field.kind, text)),
        (None, true) => "required".to_owned(),
        (None, false) => String::new(),
    };
    let example = field.example.map(|example| format!(" Example: `{example}`.")).unwrap_or_default();
    let cell = |text: &str| text.replace('|', "\\|");
    let _ = writeln!(
        out,
        "| `{}` | {} | {} | {} |",
        field.name,
        cell(&label(field.kind)),
        cell(&default),
        cell(&(paragraph(field.doc) + &example))
    );
}

/// A default as it would stand in TOML.
pub(super) fn toml(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Bool | Kind::Integer => text.to_owned(),
        _ => format!("\"{text}\""),
    }
}

fn label(kind: Kind) -> String {
    match kind {
        Kind::Bool => "true or false".into(),
        Kind::Integer => "number".into(),
        Kind::Text => "string".into(),
        Kind::Secret => "name of a secret".into(),
        Kind::Duration => "duration".into(),
        Kind::Size => "size".into(),
        Kind::Money => "money".into(),
        Kind::Word(words) => alternatives(&words().iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>()),
        Kind::WordOr(..) => kind.noun(),
        Kind::Rate => "rate".into(),
        Kind::Budget => "budget".into(),
        Kind::Several(of) => format!("{0}, or list of them", label(*of)),
        Kind::List(Kind::Text) => "list of strings".into(),
        Kind::List(Kind::Secret) => "list of names of secrets".into(),
        Kind::List(Kind::Section(_)) => "list of tables".into(),
        Kind::List(of) => format!("list of {}", label(*of)),
        Kind::Map(Kind::Text) => "table of strings".into(),
        Kind::Map(_) => "tables by name".into(),
        Kind::Section(_) => "table".into(),
    }
}

/// Doc lines as one paragraph.
pub(super) fn paragraph(doc: &str) -> String {
    doc.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
