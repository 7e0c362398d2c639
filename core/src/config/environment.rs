//! The environment as a layer: `EDGEWAY__ROUTES__CHAT__TIMEOUT=20s` is the leaf `routes.chat.timeout`.
//!
//! | variable | meaning |
//! |---|---|
//! | `EDGEWAY_CONFIG` | a whole document, TOML or JSON, below the variables of this table |
//! | `EDGEWAY__A__B` | the value at `a.b`; a value that starts with `{` or `[` is JSON where a table or a list fits |
//!
//! Variables are upper case and know no dashes, so a name that the operator chose is found by its letters: `MY_ROUTE` means
//! the route `my-route` if a lower layer (or the provider catalog) has one, and makes `my_route` otherwise.
//! Longer paths win over shorter ones, so one variable can hold a route and another change a leaf of it.

use super::diagnostic::{DOCUMENT, Diagnostic, Severity, shown};
use super::document::Document;
use super::layer::{Layer, Layers};
use super::node::{Node, Value};
use super::origin::Origin;
use super::path::Path;
use super::shape::{Kind, Section, unknown};
use super::source::Source;
use crate::order;

/// The variable that may hold a whole document.
pub(super) const WHOLE: &str = "EDGEWAY_CONFIG";
/// What variables of single values begin with.
pub(super) const PREFIX: &str = "EDGEWAY__";
/// The layer's name.
pub(super) const LAYER: &str = "environment";

/// Lays the environment over `layers`; `providers` are the names of the built-in providers. Returns what is wrong with it, and whether
/// the whole document, if there is one, could be read.
pub(super) fn lay(
    layers: &mut Layers,
    variables: impl IntoIterator<Item = (String, String)>,
    providers: &[&str],
) -> (Vec<Diagnostic>, bool) {
    let mut found = Vec::new();
    let mut readable = true;
    let mut bindings = Vec::new();
    for (name, value) in variables {
        let upper = name.to_ascii_uppercase();
        if upper == WHOLE {
            if value.trim().is_empty() {
                continue;
            }
            match Source::file(LAYER, &name, &value).document() {
                Ok(root) => layers.push(Layer { name: LAYER.into(), root }),
                Err(errors) => {
                    readable = false;
                    found.extend(errors);
                }
            }
        } else if upper.starts_with(PREFIX) {
            bindings.push((name, value));
        } else if let Some(meant) = meant(&upper) {
            found.push(Diagnostic {
                path: DOCUMENT.to_owned(),
                severity: Severity::Warning,
                message: format!("the variable `{}` has no effect", shown(&name)),
                help: format!("did you mean `{meant}`, with two underscores?"),
                origin: Origin::of(LAYER, name),
            });
        }
    }
    if bindings.is_empty() {
        return (found, readable);
    }
    // Short paths first; the order in which a platform lists its variables means nothing.
    order::sort_by_key(&mut bindings, |(name, _)| (name.matches("__").count(), name.to_ascii_uppercase()));
    let mut root = Node::table(Origin::of(LAYER, ""));
    for (name, value) in bindings {
        if let Err(error) = bind(&mut root, layers, &name, &value, providers) {
            found.push(error);
        }
    }
    layers.push(Layer { name: LAYER.into(), root });
    (found, readable)
}

/// The variable that was probably meant by one with too few underscores. `EDGEWAY_ADMIN_KEY` is what it says: a key.
fn meant(upper: &str) -> Option<String> {
    let rest = upper.strip_prefix("EDGEWAY_")?;
    if rest.ends_with("_KEY") || rest.ends_with("_KEY_FILE") {
        return None;
    }
    let (section, tail) = Document::SECTION.fields.iter().find_map(|field| {
        let section = field.name.to_ascii_uppercase();
        Some((section.clone(), rest.strip_prefix(section.as_str())?.strip_prefix('_')?))
    })?;
    let tail = tail.trim_start_matches('_');
    (!tail.is_empty()).then(|| format!("{PREFIX}{section}__{tail}"))
}

fn bind(root: &mut Node, below: &Layers, name: &str, value: &str, providers: &[&str]) -> Result<(), Diagnostic> {
    let origin = Origin::of(LAYER, name);
    let refuse = |path: &Path, message: String, help: String| Diagnostic {
        path: if path.is_root() { DOCUMENT.to_owned() } else { path.to_string() },
        severity: Severity::Error,
        message,
        help,
        origin: origin.clone(),
    };
    let segments: Vec<&str> = name.get(PREFIX.len()..).unwrap_or("").split("__").collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        let help = "write EDGEWAY__SECTION__FIELD, each part separated by exactly two underscores".to_owned();
        return Err(refuse(&Path::root(), format!("the variable `{}` names no field", shown(name)), help));
    }
    let mut path: Vec<String> = Vec::new();
    let mut at = Path::root();
    let mut kind = Kind::Section(&Document::SECTION);
    for segment in segments {
        let (key, next) = match kind {
            Kind::Section(section) | Kind::WordOr(_, section) => {
                let key = segment.to_ascii_lowercase();
                let Some(next) = field(section, &key) else {
                    let (message, help) = unknown(&key, &at, section);
                    return Err(refuse(&at.key(&key), message, help));
                };
                (key, next)
            }
            Kind::Map(of) => (key_of(segment, &at, root, below, providers), *of),
            other => {
                let message = format!("`{at}` takes {} and has no fields", other.noun());
                return Err(refuse(&at, message, format!("set `{}` itself", variable(&path))));
            }
        };
        at = at.key(&key);
        path.push(key);
        kind = next;
    }
    let text = value.trim();
    let mut node = if kind.takes_json() && text.starts_with(['{', '[']) {
        Source::variable(LAYER, name, text).json().map_err(|error| Diagnostic { path: at.to_string(), ..error })?
    } else if matches!(kind, Kind::Section(_) | Kind::Map(_)) {
        let help = format!("write it as JSON, `{}={{...}}`, or set one field, `{}__...`", variable(&path), variable(&path));
        return Err(refuse(&at, format!("`{at}` is a table, and the variable's value is not"), help));
    } else {
        kind.leaf(text, &origin)
    };
    claim(&mut node, &origin);
    root.put(&path, node);
    Ok(())
}

/// Says that a variable gave every value of `node`.
fn claim(node: &mut Node, origin: &Origin) {
    node.origin = origin.clone();
    match &mut node.value {
        Value::Table(entries) => entries.values_mut().for_each(|node| claim(node, origin)),
        Value::List(items) => items.iter_mut().for_each(|node| claim(node, origin)),
        _ => {}
    }
}

fn field(section: &'static Section, name: &str) -> Option<Kind> {
    section.fields.iter().find(|field| field.name == name).map(|field| field.kind)
}

/// The key that `segment` means in the table at `at`.
fn key_of(segment: &str, at: &Path, root: &Node, below: &Layers, providers: &[&str]) -> String {
    let wanted = as_segment(segment);
    let built_in: &[&str] = if *at == Path::of(&["providers"]) { providers } else { &[] };
    let lower = below.root().find(at).map(Node::keys).unwrap_or_default();
    let own = root.find(at).map(Node::keys).unwrap_or_default();
    let known = lower.iter().chain(&own).chain(built_in);
    let mut alike = known.filter(|key| as_segment(key) == wanted);
    alike.next().map_or_else(|| segment.to_ascii_lowercase(), |key| (*key).to_owned())
}

/// A key as a variable can spell it.
fn as_segment(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn variable(path: &[String]) -> String {
    let parts: Vec<String> = path.iter().map(|key| as_segment(key)).collect();
    format!("{PREFIX}{}", parts.join("__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(file: &str, variables: &[(&str, &str)]) -> (Layers, Vec<Diagnostic>) {
        let mut layers = Layers::of([Layer::document("file", "edgeway.toml", file).expect("valid TOML")]);
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let (found, _) = lay(&mut layers, variables, &["llama-cpp"]);
        (layers, found)
    }

    fn text(layers: &Layers, path: &str) -> Option<String> {
        let node = layers.root().find(&Path::parse(path).expect("a path"))?;
        Some(match &node.value {
            Value::Text(text) => text.clone(),
            Value::Bool(bool) => bool.to_string(),
            Value::Integer(integer) => integer.to_string(),
            _ => node.noun().to_owned(),
        })
    }

    #[test]
    fn a_variable_overrides_a_leaf_and_says_so() {
        let file = "[routes.chat]\nmodels = [\"*\"]\ntimeout = \"1m\"";
        let (layers, found) =
            laid(file, &[("EDGEWAY__ROUTES__CHAT__TIMEOUT", "20s"), ("PATH", "/bin"), ("EDGEWAY_ADMIN_KEY", "x")]);
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(text(&layers, "routes.chat.timeout").as_deref(), Some("20s"));
        assert_eq!(layers.origin("routes.chat.timeout").to_string(), "EDGEWAY__ROUTES__CHAT__TIMEOUT");
        assert_eq!(layers.origin("routes.chat.models").to_string(), "edgeway.toml:2:1");
    }

    #[test]
    fn names_are_found_by_their_letters() {
        let file = "[routes.my-route]\n[models.\"gpt-4.1\"]\n[routes.Chat]";
        let (layers, found) = laid(
            file,
            &[
                ("EDGEWAY__ROUTES__MY_ROUTE__PRIORITY", "1"),
                ("EDGEWAY__ROUTES__CHAT__PRIORITY", "2"),
                ("EDGEWAY__ROUTES__NEW_ONE__PRIORITY", "3"),
                ("EDGEWAY__MODELS__GPT_4_1__CONTEXT", "4"),
                ("EDGEWAY__PROVIDERS__LLAMA_CPP__ENABLED", "true"),
                ("edgeway__server__listen", "localhost:1"),
            ],
        );
        assert!(found.is_empty(), "{found:?}");
        for (path, value) in [
            ("routes.my-route.priority", "1"),
            ("routes.Chat.priority", "2"),
            ("routes.new_one.priority", "3"),
            ("models.\"gpt-4.1\".context", "4"),
            ("providers.llama-cpp.enabled", "true"),
            ("server.listen", "localhost:1"),
        ] {
            assert_eq!(text(&layers, path).as_deref(), Some(value), "{path}");
        }
    }

    #[test]
    fn a_whole_route_fits_into_one_variable_and_a_longer_name_changes_its_leaf() {
        let route = r#"{"models":["x"],"targets":["a/b"],"timeout":"1m"}"#;
        let (layers, found) = laid("", &[("EDGEWAY__ROUTES__CHAT__TIMEOUT", "20s"), ("EDGEWAY__ROUTES__CHAT", route)]);
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(text(&layers, "routes.chat.targets[0]").as_deref(), Some("a/b"));
        assert_eq!(layers.origin("routes.chat.targets[0]").to_string(), "EDGEWAY__ROUTES__CHAT");
        assert_eq!(text(&layers, "routes.chat.timeout").as_deref(), Some("20s"));
    }

    #[test]
    fn a_list_may_be_separated_by_commas() {
        let (layers, _) = laid("", &[("EDGEWAY__AUTH__KEYS", "KEY_A, KEY_B,")]);
        assert_eq!(text(&layers, "auth.keys[1]").as_deref(), Some("KEY_B"));
        assert_eq!(text(&layers, "auth.keys[2]"), None);
    }

    #[test]
    fn a_header_value_may_begin_with_a_brace() {
        let (layers, found) = laid("", &[("EDGEWAY__PROVIDERS__ACME__HEADERS__X", "{not json")]);
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(text(&layers, "providers.acme.headers.x").as_deref(), Some("{not json"));
    }

    #[test]
    fn the_whole_document_lies_below_the_variables() {
        let (layers, found) =
            laid("", &[("EDGEWAY__SERVER__LISTEN", "b:1"), ("EDGEWAY_CONFIG", "[server]\nlisten = \"a:1\"\ndrain = \"1s\"")]);
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(text(&layers, "server.listen").as_deref(), Some("b:1"));
        assert_eq!(layers.origin("server.drain").to_string(), "EDGEWAY_CONFIG:3:1");
    }

    #[test]
    fn variables_that_cannot_work_are_reported_with_what_to_write() {
        let (_, found) = laid(
            "",
            &[
                ("EDGEWAY__ROUTES__CHAT", "yes"),
                ("EDGEWAY__SERVER__LISTEN__PORT", "1"),
                ("EDGEWAY__ROUTES__", "{}"),
                ("EDGEWAY__ROUTES__CHAT__TARGETS", "[oops"),
                ("EDGEWAY_SERVER_LISTEN", "x"),
                ("EDGEWAY_ROUTES__CHAT__TIMEOUT", "20s"),
                ("EDGEWAY_CONFIG", "a = = b"),
            ],
        );
        let all: Vec<String> = found.iter().map(ToString::to_string).collect();
        each_is_there(
            &all,
            &["is a table", "has no fields", "names no field", "valid JSON", "`EDGEWAY__SERVER__LISTEN`", "valid TOML"],
        );
        assert!(all.iter().any(|text| text.contains("`EDGEWAY__ROUTES__CHAT__TIMEOUT`")), "{all:?}");
        assert_eq!(found.iter().filter(|diagnostic| diagnostic.severity == Severity::Warning).count(), 2, "{all:?}");
        assert!(found.iter().all(|diagnostic| &*diagnostic.origin.layer == LAYER));
    }

    fn each_is_there(all: &[String], parts: &[&str]) {
        for part in parts {
            assert!(all.iter().any(|text| text.contains(part)), "{part}: {all:?}");
        }
    }
}
