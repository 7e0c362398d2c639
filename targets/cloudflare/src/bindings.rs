//! Which bindings a deployment has, and what to do about those that are missing or wrong.
//!
//! | binding | kind | what it is for |
//! |---|---|---|
//! | `KV` | Workers KV | eventual values |
//! | `CELLS` | Durable Object | everything that must be exact |
//! | `BLOBS` | R2 | large objects |
//! | `EVENTS` | Queue | records, for whoever reads them |
//! | `ANALYTICS` | Analytics Engine | records, for queries |
//! | `EDGEWAY_CONFIG`, `EDGEWAY__...` | text or JSON | configuration |
//! | any other text | text | a secret, if the configuration names it |
//!
//! Invariant: every finding names the binding and the command that creates it.

use std::collections::BTreeMap;
use std::fmt;

/// What a binding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A variable or a secret.
    Text,
    /// A variable that is an object.
    Json,
    /// A namespace of Workers KV.
    Kv,
    /// A namespace of Durable Objects.
    Objects,
    /// An R2 bucket.
    Bucket,
    /// A producer of a Queue.
    Queue,
    /// A dataset of the Analytics Engine.
    Dataset,
    /// Another Worker, or a secret of the account's store.
    Service,
    /// Anything else.
    Other,
}

impl Kind {
    /// The kind of that name; names are those of `js/bindings.js`.
    pub fn named(name: &str) -> Self {
        match name {
            "text" => Self::Text,
            "json" => Self::Json,
            "kv" => Self::Kv,
            "objects" => Self::Objects,
            "bucket" => Self::Bucket,
            "queue" => Self::Queue,
            "dataset" => Self::Dataset,
            "service" => Self::Service,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a variable or secret",
            Self::Json => "a JSON variable",
            Self::Kv => "a KV namespace",
            Self::Objects => "a Durable Object namespace",
            Self::Bucket => "an R2 bucket",
            Self::Queue => "a queue",
            Self::Dataset => "an Analytics Engine dataset",
            Self::Service => "a service",
            Self::Other => "something else",
        })
    }
}

/// A binding that Edgeway knows by name.
struct Known {
    name: &'static str,
    kind: Kind,
    /// Whether a deployment without it is worth a word.
    expected: bool,
    /// What does not work without it.
    without: &'static str,
    /// How to create it.
    create: &'static str,
}

#[rustfmt::skip]
const KNOWN: &[Known] = &[
    Known {
        name: KV, kind: Kind::Kv, expected: true,
        without: "stored configuration and caches are off",
        create: "run `wrangler kv namespace create KV` and put the id that it prints into wrangler.toml: [[kv_namespaces]] binding = \"KV\", id = \"...\"",
    },
    Known {
        name: CELLS, kind: Kind::Objects, expected: true,
        without: "limits and budgets cannot be counted",
        create: "add to wrangler.toml: [[durable_objects.bindings]] name = \"CELLS\", class_name = \"CellObject\" and [[migrations]] tag = \"v1\", new_sqlite_classes = [\"CellObject\"]",
    },
    Known {
        name: BLOBS, kind: Kind::Bucket, expected: false,
        without: "large objects are not stored",
        create: "run `wrangler r2 bucket create edgeway-blobs` and add to wrangler.toml: [[r2_buckets]] binding = \"BLOBS\", bucket_name = \"edgeway-blobs\"",
    },
    Known {
        name: EVENTS, kind: Kind::Queue, expected: false,
        without: "records are only in the log",
        create: "run `wrangler queues create edgeway-events` and add to wrangler.toml: [[queues.producers]] binding = \"EVENTS\", queue = \"edgeway-events\"",
    },
    Known {
        name: ANALYTICS, kind: Kind::Dataset, expected: false,
        without: "records are only in the log",
        create: "add to wrangler.toml: [[analytics_engine_datasets]] binding = \"ANALYTICS\", dataset = \"edgeway\"",
    },
];

/// The binding of Workers KV.
pub const KV: &str = "KV";
/// The binding of cells.
pub const CELLS: &str = "CELLS";
/// The binding of R2.
pub const BLOBS: &str = "BLOBS";
/// The binding of the queue of records.
pub const EVENTS: &str = "EVENTS";
/// The binding of the dataset of records.
pub const ANALYTICS: &str = "ANALYTICS";

/// What is wrong with a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether the deployment is refused for it.
    pub fatal: bool,
    /// What is wrong and what to do about it.
    pub message: String,
}

/// The bindings of a deployment.
#[derive(Clone, Debug, Default)]
pub struct Bindings(BTreeMap<String, (Kind, String)>);

impl Bindings {
    /// From triples of name, kind and text.
    pub fn new(found: impl IntoIterator<Item = (String, Kind, String)>) -> Self {
        let mut all = BTreeMap::new();
        // Not `collect`, which sorts before it builds: 5 KB of code for a list like this.
        all.extend(found.into_iter().map(|(name, kind, text)| (name, (kind, text))));
        Self(all)
    }

    /// The binding's kind; `None` when there is no such binding.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.0.get(name).map(|(kind, _)| *kind)
    }

    /// Whether the binding is there and of the kind that its name stands for.
    pub fn has(&self, name: &str) -> bool {
        KNOWN.iter().any(|known| known.name == name && self.kind(name) == Some(known.kind))
    }

    /// The text of a binding that could be a secret, without the line ends behind it; `None` when it is blank.
    pub fn secret(&self, name: &str) -> Option<&str> {
        let (kind, text) = self.0.get(name)?;
        let text = text.trim_end_matches(['\r', '\n']);
        (*kind == Kind::Text && !text.trim().is_empty()).then_some(text)
    }

    /// Configuration: what begins with `EDGEWAY`.
    pub fn variables(&self) -> Vec<(String, String)> {
        let configuration = |(name, (kind, _)): &(&String, &(Kind, String))| {
            name.to_ascii_uppercase().starts_with("EDGEWAY") && matches!(kind, Kind::Text | Kind::Json)
        };
        self.0.iter().filter(configuration).map(|(name, (_, text))| (name.clone(), text.clone())).collect()
    }

    /// What is wrong with the bindings.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for known in KNOWN {
            let Known { name, kind, expected, without, create } = known;
            match self.kind(name) {
                Some(found) if found != *kind => findings.push(Finding {
                    fatal: true,
                    message: format!("the binding `{name}` is {found}, it must be {kind}: rename it, or {create}"),
                }),
                None if *expected => findings.push(Finding {
                    fatal: false,
                    message: format!("there is no binding `{name}` ({kind}), so {without}: {create}"),
                }),
                _ => {}
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bindings(found: &[(&str, Kind, &str)]) -> Bindings {
        Bindings::new(found.iter().map(|(name, kind, text)| ((*name).into(), *kind, (*text).into())))
    }

    #[test]
    fn a_complete_deployment_has_no_findings() {
        let complete = KNOWN.iter().map(|known| (known.name, known.kind, "")).collect::<Vec<_>>();
        assert_eq!(bindings(&complete).findings(), []);
        assert!(KNOWN.iter().all(|known| bindings(&complete).has(known.name)));
    }

    #[test]
    fn a_missing_binding_is_named_with_the_command_that_creates_it() {
        let findings = bindings(&[]).findings();
        assert!(findings.iter().all(|finding| !finding.fatal));
        let said: String = findings.into_iter().map(|finding| finding.message + "\n").collect();
        assert!(said.contains("`KV` (a KV namespace)") && said.contains("wrangler kv namespace create KV"), "{said}");
        assert!(said.contains("`CELLS`") && said.contains("new_sqlite_classes"), "{said}");
    }

    #[test]
    fn a_binding_of_the_wrong_kind_is_fatal() {
        let wrong = bindings(&[("KV", Kind::Text, "x"), ("CELLS", Kind::Bucket, ""), ("EVENTS", Kind::Kv, "")]);
        let fatal: Vec<_> = wrong.findings().into_iter().filter(|finding| finding.fatal).collect();
        assert_eq!(fatal.len(), 3, "{fatal:?}");
        assert!(fatal[0].message.starts_with("the binding `KV` is a variable or secret, it must be a KV namespace"), "{fatal:?}");
        assert!(!wrong.has("KV"));
    }

    #[test]
    fn texts_are_configuration_or_secrets() {
        let given = bindings(&[
            ("EDGEWAY_CONFIG", Kind::Text, "a"),
            ("EDGEWAY__ROUTES__CHAT", Kind::Json, "{}"),
            ("OPENAI_API_KEY", Kind::Text, "sk\n"),
            ("BLANK", Kind::Text, " \n"),
            ("EDGEWAY_STORE", Kind::Kv, ""),
        ]);
        let names: Vec<_> = given.variables().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["EDGEWAY_CONFIG", "EDGEWAY__ROUTES__CHAT"]);
        assert_eq!((given.secret("OPENAI_API_KEY"), given.secret("BLANK"), given.secret("KV")), (Some("sk"), None, None));
    }
}
