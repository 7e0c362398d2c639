//! (method, path) to endpoint: one table, the only place where a path becomes an operation.
//!
//! Every row names what it requires and a body limit; there is no way to add one without them. A model
//! name in a path may hold slashes (`/v1beta/models/openai/gpt-5:generateContent`).
//!
//! Invariant: what is resolved here is what the rest of the pipeline acts on; nobody parses the path again.

use std::borrow::Cow;

use http::{HeaderMap, Method, request::Parts};

use crate::admin::{self, Route};
use crate::dialect::{DialectId, StreamForm};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::{Name, Permission};

/// What a request asks the gateway to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Ask a model.
    Chat,
    /// List models.
    Models,
    /// Describe one model.
    Model,
    /// Whether the process lives.
    Health,
    /// Whether it takes requests.
    Ready,
    /// Administer.
    Admin(&'static Route),
}

impl Operation {
    /// Its name in logs and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Models => "models",
            Self::Model => "model",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Admin(route) => route.name,
        }
    }
}

/// What an endpoint requires of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requires {
    /// Nothing: anybody who reaches the port.
    Anyone,
    /// The secret with which the first administrator is made, once.
    Bootstrap,
    /// A good key or token, whatever it may do.
    Known,
    /// A good key or token that holds this.
    Holds(Permission),
}

/// How much body an endpoint reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLimit {
    /// None: a body is left unread.
    None,
    /// As configured for the route or the server.
    Configured,
    /// At most this many bytes.
    AtMost(usize),
}

/// A resolved request line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What to do.
    pub operation: Operation,
    /// The caller's protocol.
    pub dialect: DialectId,
    /// What is required of the caller.
    pub requires: Requires,
    /// How much body is read.
    pub body: BodyLimit,
    /// The model, where the path names it; decoded.
    pub model: Option<String>,
    /// What else the path names.
    pub named: Named,
    /// Whether the path asks for a stream; `None` where the body says it.
    pub stream: Option<bool>,
    /// The framing of a streamed answer.
    pub form: StreamForm,
}

/// What an administration path names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The tenant, `{tenant}`.
    pub tenant: Option<Name>,
    /// The object, `{id}`: 1 to 64 of `a-z`, `A-Z`, `0-9`, `-` and `_`.
    pub id: Option<String>,
    /// The number, `{number}`.
    pub number: Option<u64>,
}

/// How a row's path is met.
enum Path {
    /// The whole path.
    Exact(&'static str),
    /// A prefix, then a model name, then a suffix (which may be empty).
    Model(&'static str, &'static str),
}

/// Longest name of a model, in bytes.
const MAX_MODEL: usize = 512;

/// Longest path that is compared with those there are: how much it costs to answer anybody's mistake.
const MAX_COMPARED: usize = 256;

struct Row {
    method: Method,
    path: Path,
    operation: Operation,
    dialect: DialectId,
    requires: Requires,
    body: BodyLimit,
    stream: Option<bool>,
}

#[rustfmt::skip]
static TABLE: &[Row] = &{
    use BodyLimit::{Configured, None as NoBody};
    use DialectId::{AnthropicMessages, Gemini, OpenAiChat};
    use Operation::{Chat, Health, Model, Models, Ready};
    use Path::{Exact, Model as OfModel};
    use Requires::Anyone;
    const INVOKE: Requires = Requires::Holds(Permission::Invoke);
    // The only way to a row: none is without what it requires and how much body it reads.
    const fn row(method: Method, path: Path, operation: Operation, dialect: DialectId, requires: Requires, body: BodyLimit, stream: Option<bool>) -> Row {
        Row { method, path, operation, dialect, requires, body, stream }
    }
    [
        row(Method::POST, Exact("/v1/chat/completions"),                            Chat,   OpenAiChat,        INVOKE, Configured, None),
        row(Method::POST, Exact("/v1/messages"),                                    Chat,   AnthropicMessages, INVOKE, Configured, None),
        row(Method::POST, OfModel("/v1beta/models/", ":generateContent"),           Chat,   Gemini,            INVOKE, Configured, Some(false)),
        row(Method::POST, OfModel("/v1beta/models/", ":streamGenerateContent"),     Chat,   Gemini,            INVOKE, Configured, Some(true)),
        // The `google-genai` packages ask at /v1, and the Vercel AI SDK leaves `models/` out of a name that has a slash.
        row(Method::POST, OfModel("/v1/models/", ":generateContent"),               Chat,   Gemini,            INVOKE, Configured, Some(false)),
        row(Method::POST, OfModel("/v1/models/", ":streamGenerateContent"),         Chat,   Gemini,            INVOKE, Configured, Some(true)),
        row(Method::POST, OfModel("/v1beta/", ":generateContent"),                  Chat,   Gemini,            INVOKE, Configured, Some(false)),
        row(Method::POST, OfModel("/v1beta/", ":streamGenerateContent"),            Chat,   Gemini,            INVOKE, Configured, Some(true)),
        row(Method::GET,  Exact("/v1/models"),                                      Models, OpenAiChat,        INVOKE, NoBody,     None),
        row(Method::GET,  OfModel("/v1/models/", ""),                               Model,  OpenAiChat,        INVOKE, NoBody,     None),
        row(Method::GET,  Exact("/v1beta/models"),                                  Models, Gemini,            INVOKE, NoBody,     None),
        row(Method::GET,  OfModel("/v1beta/models/", ""),                           Model,  Gemini,            INVOKE, NoBody,     None),
        row(Method::GET,  Exact("/health"),                                         Health, OpenAiChat,        Anyone, NoBody,     None),
        row(Method::GET,  Exact("/ready"),                                          Ready,  OpenAiChat,        Anyone, NoBody,     None),
    ]
};

/// Every row but the administration's: its method, a path of it, what it requires.
#[cfg(test)]
pub(crate) fn served() -> impl Iterator<Item = (&'static Method, String, Requires)> {
    TABLE.iter().map(|row| {
        let path = match row.path {
            Path::Exact(path) => path.to_owned(),
            Path::Model(prefix, suffix) => format!("{prefix}demo/echo{suffix}"),
        };
        (&row.method, path, row.requires)
    })
}

/// Resolves a request line. Fails with `NotFound`, or with `MethodNotAllowed` when the path exists;
/// [`guess_dialect`] says in which protocol to render that, [`allow`] what the path takes.
pub fn resolve(parts: &Parts) -> Result<Endpoint> {
    let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    let path = plain(parts.uri.path());
    if is_admin(path) {
        let mut rows = admin::routes().filter(|route| route.method == *method);
        if let Some((route, named)) = rows.find_map(|route| Some((route, Named::read(route.path, path)?))) {
            return Ok(Endpoint {
                operation: Operation::Admin(route),
                // Nobody's protocol: errors are problems (RFC 9457), see `is_admin`.
                dialect: DialectId::OpenAiChat,
                requires: route.requires,
                body: route.body,
                model: None,
                named,
                stream: None,
                form: StreamForm::Sse,
            });
        }
    }
    for row in TABLE.iter().filter(|row| row.method == *method) {
        let Some(model) = row.path.matches(path) else { continue };
        return Ok(Endpoint {
            operation: row.operation,
            dialect: listing_dialect(row, &parts.headers),
            requires: row.requires,
            body: row.body,
            model: model.map(decode_segment).transpose()?,
            named: Named::default(),
            stream: row.stream,
            form: form(row, parts.uri.query()),
        });
    }
    match allow(parts.uri.path()) {
        Some(allow) => Err(Error::new(ErrorKind::MethodNotAllowed, format!("{path} takes {allow}, not {}.", parts.method))),
        None if path.is_empty() => Err(Error::new(ErrorKind::NotFound, not_found(&parts.uri.to_string()))),
        None => Err(Error::new(ErrorKind::NotFound, not_found(path))),
    }
}

/// The methods that a path takes, for the `Allow` header; `None` when there is nothing at it.
pub fn allow(path: &str) -> Option<String> {
    let path = plain(path);
    let served = TABLE.iter().filter(|row| row.path.matches(path).is_some()).map(|row| row.method.as_str());
    let administered = admin::routes().filter(|route| is_admin(path) && Named::read(route.path, path).is_some());
    let mut methods: Vec<&str> = served.chain(administered.map(|route| route.method.as_str())).collect();
    methods.dedup();
    (!methods.is_empty()).then(|| methods.join(", "))
}

fn plain(path: &str) -> &str {
    path.strip_suffix('/').filter(|stripped| !stripped.is_empty()).unwrap_or(path)
}

/// Whether a path is the administration's, where errors are problems of RFC 9457 and no protocol's.
pub fn is_admin(path: &str) -> bool {
    path == "/admin" || path.starts_with("/admin/")
}

/// The protocol that a caller of an unknown path most likely speaks.
pub fn guess_dialect(parts: &Parts) -> DialectId {
    match parts.uri.path() {
        path if path.starts_with("/v1beta") || path.ends_with("enerateContent") => DialectId::Gemini,
        path if path.starts_with("/v1/messages") => DialectId::AnthropicMessages,
        _ => by_headers(&parts.headers),
    }
}

impl Path {
    /// `None`: not this row; `Some(None)`: met; `Some(Some(name))`: met, with this raw model name.
    fn matches<'a>(&self, path: &'a str) -> Option<Option<&'a str>> {
        match self {
            Self::Exact(exact) => (path == *exact).then_some(None),
            Self::Model(prefix, suffix) => {
                let model = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
                // A bare listing row must not take what a row with a suffix is for.
                let called = suffix.is_empty() && model.contains(':') && model.ends_with("enerateContent");
                (!model.is_empty() && !called).then_some(Some(model))
            }
        }
    }
}

impl Named {
    /// What a path names, if it is one of a pattern: segments, some of which are fields in braces. One that does not fit
    /// its place is at no path there is.
    fn read(pattern: &str, path: &str) -> Option<Self> {
        let mut named = Self::default();
        let mut segments = path.split('/');
        for place in pattern.split('/') {
            let segment = segments.next()?;
            match place {
                "{tenant}" => named.tenant = Some(segment.parse().ok()?),
                "{id}" => named.id = Some(object_id(segment)?),
                "{number}" => named.number = Some(digits(segment)?),
                _ if place == segment => {}
                _ => return None,
            }
        }
        segments.next().is_none().then_some(named)
    }
}

fn object_id(segment: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let fits = (1..=Name::LONGEST).contains(&segment.len()) && segment.bytes().all(plain);
    fits.then(|| segment.to_owned())
}

fn digits(segment: &str) -> Option<u64> {
    segment.bytes().all(|byte| byte.is_ascii_digit()).then(|| segment.parse().ok()).flatten()
}

/// `/v1/models` is shared: Anthropic's and Google's clients are known by their headers.
fn listing_dialect(row: &Row, headers: &HeaderMap) -> DialectId {
    match row.operation {
        Operation::Models | Operation::Model if row.dialect == DialectId::OpenAiChat => by_headers(headers),
        _ => row.dialect,
    }
}

fn by_headers(headers: &HeaderMap) -> DialectId {
    if headers.contains_key("x-goog-api-key") || headers.contains_key("x-goog-api-client") {
        DialectId::Gemini
    } else if headers.contains_key("anthropic-version") || headers.contains_key("x-api-key") {
        DialectId::AnthropicMessages
    } else {
        DialectId::OpenAiChat
    }
}

fn form(row: &Row, query: Option<&str>) -> StreamForm {
    let sse =
        query.is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse" || pair == "%24alt=sse" || pair == "$alt=sse"));
    if row.stream == Some(true) && !sse { StreamForm::JsonArray } else { StreamForm::Sse }
}

/// Percent-decodes a model name, once.
fn decode_segment(raw: &str) -> Result<String> {
    if raw.len() > 3 * MAX_MODEL {
        return Err(Error::invalid("model", format!("The model name in the path is longer than {MAX_MODEL} bytes.")));
    }
    let bad = || Error::invalid("model", "The model name in the path is not valid percent-encoded UTF-8.");
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            let (high, low) = (digit().ok_or_else(bad)?, digit().ok_or_else(bad)?);
            u8::try_from(high * 16 + low).expect("two hexadecimal digits fit a byte")
        } else {
            byte
        };
        bytes.push(byte);
    }
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    if text.chars().any(char::is_control) { Err(bad()) } else { model_name(text) }
}

/// The name of a model, whatever it is taken from: not empty, bounded, in one line.
pub(crate) fn model_name(name: String) -> Result<String> {
    if name.is_empty() || name.len() > MAX_MODEL || name.chars().any(char::is_control) {
        let message = format!("`model` must be 1 to {MAX_MODEL} bytes without control characters.");
        return Err(Error::invalid("model", message));
    }
    Ok(name)
}

fn not_found(path: &str) -> String {
    let known = TABLE.iter().map(|row| match &row.path {
        Path::Exact(path) => Cow::Borrowed(*path),
        Path::Model(prefix, suffix) => Cow::Owned(format!("{prefix}{{model}}{suffix}")),
    });
    let near = known
        .chain(admin::routes().map(|route| Cow::Borrowed(route.path)))
        .filter(|_| path.len() <= MAX_COMPARED)
        .map(|known| (strsim::normalized_levenshtein(path, &known), known))
        .filter(|(similar, _)| *similar > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let shown: String = path.chars().take(100).collect();
    match near {
        Some((_, known)) => format!("There is nothing at {shown}. Did you mean {known}?"),
        None => format!(
            "There is nothing at {shown}. The API is at /v1/chat/completions, /v1/messages and /v1beta/models/{{model}}:generateContent."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("test requests are well formed").into_parts().0
    }

    #[test]
    fn a_model_name_in_a_path_may_hold_slashes_and_escapes() {
        let endpoint =
            resolve(&parts("POST", "/v1beta/models/openrouter/anthropic%2Fclaude:streamGenerateContent?alt=sse", &[])).unwrap();
        assert_eq!(endpoint.model.as_deref(), Some("openrouter/anthropic/claude"));
        assert_eq!((endpoint.stream, endpoint.form), (Some(true), StreamForm::Sse));
    }

    #[test]
    fn a_target_that_is_no_path_is_named_whole() {
        let error = resolve(&parts("GET", "example.com:80", &[])).unwrap_err();
        assert!(error.message.starts_with("There is nothing at example.com:80."), "{}", error.message);
    }

    #[test]
    fn gemini_streams_are_json_arrays_unless_sse_is_asked_for() {
        let endpoint = resolve(&parts("POST", "/v1beta/models/m:streamGenerateContent", &[])).unwrap();
        assert_eq!(endpoint.form, StreamForm::JsonArray);
    }

    #[test]
    fn googles_clients_ask_in_three_ways() {
        for path in
            ["/v1beta/models/groq/m:generateContent", "/v1/models/groq/m:generateContent", "/v1beta/groq/m:generateContent"]
        {
            let endpoint = resolve(&parts("POST", path, &[])).unwrap();
            assert_eq!((endpoint.dialect, endpoint.model.as_deref()), (DialectId::Gemini, Some("groq/m")), "{path}");
        }
    }

    #[test]
    fn the_listing_takes_the_shape_of_its_caller() {
        let dialect = |headers: &[(&str, &str)]| resolve(&parts("GET", "/v1/models", headers)).unwrap().dialect;
        assert_eq!(dialect(&[]), DialectId::OpenAiChat);
        assert_eq!(dialect(&[("anthropic-version", "2023-06-01")]), DialectId::AnthropicMessages);
        assert_eq!(dialect(&[("x-goog-api-key", "k")]), DialectId::Gemini);
    }

    #[test]
    fn a_wrong_method_says_which_is_right() {
        let error = resolve(&parts("GET", "/v1/chat/completions", &[])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::MethodNotAllowed);
        assert_eq!(allow("/v1/chat/completions/").as_deref(), Some("POST"));
        assert_eq!(allow("/v1beta/models/m:generateContent").as_deref(), Some("POST"));
        assert_eq!(allow("/nothing"), None);
    }

    #[test]
    fn an_unknown_path_names_its_neighbour() {
        let error = resolve(&parts("POST", "/v1/chat/completion", &[])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(error.message.contains("/v1/chat/completions"), "{}", error.message);
    }

    #[test]
    fn a_path_with_two_slashes_at_its_end_is_no_wrong_method() {
        let error = resolve(&parts("POST", "/v1/chat/completions//", &[])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{}", error.message);
    }

    #[test]
    fn a_long_path_is_not_compared_and_a_long_model_name_is_refused() {
        let error = resolve(&parts("GET", &format!("/{}", "a".repeat(60_000)), &[])).unwrap_err();
        assert!(error.message.len() < 300 && !error.message.contains("Did you mean"), "{}", error.message);
        for name in ["m".repeat(513), "%41".repeat(513), "m".repeat(60_000)] {
            let error = resolve(&parts("GET", &format!("/v1/models/{name}"), &[])).unwrap_err();
            assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::InvalidRequest, Some("model")));
        }
        assert!(resolve(&parts("GET", &format!("/v1/models/{}", "%41".repeat(512)), &[])).is_ok());
    }

    #[test]
    fn only_health_and_readiness_are_open_to_anyone_and_administration_to_administrators() {
        for row in TABLE {
            let (Path::Exact(path) | Path::Model(path, _)) = row.path;
            let open = matches!(row.operation, Operation::Health | Operation::Ready);
            let expected = if open { Requires::Anyone } else { Requires::Holds(Permission::Invoke) };
            assert_eq!(row.requires, expected, "{path}");
            assert!(!is_admin(path), "{path}");
        }
    }

    #[test]
    fn a_version_is_named_by_its_number() {
        let endpoint = resolve(&parts("GET", "/admin/v1/config/12", &[])).unwrap();
        assert_eq!((endpoint.operation.name(), endpoint.named.number), ("config_version", Some(12)));
        assert_eq!(endpoint.requires, Requires::Holds(Permission::ConfigRead));
        for path in
            ["/admin/v1/config/x", "/admin/v1/config/-1", "/admin/v1/config/99999999999999999999999", "/admin/v1/config/1/2"]
        {
            assert_eq!(resolve(&parts("GET", path, &[])).unwrap_err().kind, ErrorKind::NotFound, "{path}");
        }
        let error = resolve(&parts("GET", "/admin/v1/config/check", &[])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::MethodNotAllowed);
        assert_eq!(allow("/admin/v1/config").as_deref(), Some("GET, PUT"));
    }

    #[test]
    fn a_pattern_names_what_its_path_holds_and_nothing_else_fits() {
        let pattern = "/admin/v1/tenants/{tenant}/keys/{id}/rotate";
        let named = Named::read(pattern, "/admin/v1/tenants/acme/keys/k_1-A/rotate").expect("a path of the pattern");
        assert_eq!(named, Named { tenant: Some("acme".parse().unwrap()), id: Some("k_1-A".into()), number: None });
        let long = format!("/admin/v1/tenants/acme/keys/{}/rotate", "k".repeat(65));
        for path in [
            "/admin/v1/tenants/acme/keys/k1",
            "/admin/v1/tenants/acme/keys/k1/rotate/",
            "/admin/v1/tenants/acme/keys//rotate",
            "/admin/v1/tenants//keys/k1/rotate",
            "/admin/v1/tenants/ACME/keys/k1/rotate",
            "/admin/v1/tenants/acme/keys/k%31/rotate",
            "/admin/v1/tenants/acme/keys/../rotate",
            "/admin/v1/tenants/acme%2Fkeys/k1/rotate",
            &long,
        ] {
            assert_eq!(Named::read(pattern, path), None, "{path}");
        }
    }
}
