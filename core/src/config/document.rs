//! The document: every section and field that `edgeway.toml` can have.
//!
//! Only what a document says, nothing of what it means: [`super::check`] looks for contradictions, [`super::compile()`] gives
//! meaning. The `///` lines below are the reference (`docs/config.md`), word for word.

use serde::{Serialize, Serializer};

use super::diagnostic::Report;
use super::duration::Period;
use super::issuer::IssuerSection;
use super::limiting::{AdmissionSection, AlertsSection, BudgetSection, LimitSection};
use super::node::{Node, Value};
use super::path::Path;
use super::secret_name::SecretName;
use super::shape::{Kind, Named, Shape, mistyped, section};
use super::size::Size;
use super::store::StoreChoice;
use super::word::word;
use crate::dialect::DialectId;
use crate::provider::MaxTokensField;
use crate::usage::NanoUsd;

section! {
    /// The configuration of one gateway. Every section may be left out.
    pub struct Document {
        /// What the native server needs. Edge platforms have their own and ignore it.
        pub server: ServerSection,
        /// Time budgets of one attempt at a provider, where neither its route nor its provider says otherwise.
        pub timeouts: TimeoutsSection,
        /// Who may call the gateway.
        pub auth: AuthSection,
        /// Who may administer the gateway, over HTTP at `/admin/v1`.
        pub admin: AdminSection,
        /// The document that is stored with the gateway and laid over file and environment.
        pub config: ConfigSection,
        /// What is kept of requests, for `GET /admin/v1/usage`.
        pub usage: UsageSection,
        /// Providers by name: changes to a built-in one, or one of your own.
        pub providers: Named<ProviderSection>,
        /// Aliases, and what Edgeway should know of a model, by name.
        pub models: Named<ModelSection>,
        /// Routes by name: which requests go where.
        pub routes: Named<RouteSection>,
        /// Limits by name: how often.
        #[also("limit", "rate_limits", "ratelimits", "rate_limit", "quotas")]
        pub limits: Named<LimitSection>,
        /// Budgets by name: for how much.
        #[also("budget", "spend", "spending")]
        pub budgets: Named<BudgetSection>,
        /// How instances share limits and budgets.
        pub admission: AdmissionSection,
        /// Who is told that a budget runs out.
        #[also("alert", "webhooks", "notifications")]
        pub alerts: AlertsSection,
    }
}

section! {
    /// What the native server needs. Edge platforms have their own and ignore it.
    pub struct ServerSection {
        /// Address and port to listen on. An address that other machines can reach needs `auth.keys`.
        #[also("bind", "address", "host", "port", "addr")]
        pub listen: String = "127.0.0.1:8787",
        /// Largest request body; a route can say otherwise.
        #[also("max_body_size", "body_limit", "max_request_size")]
        pub max_body: Size = "32MiB",
        /// Largest sum of a request's header names and values.
        #[also("max_header_size", "header_limit")]
        pub max_header: Size = "64KiB",
        /// Most header fields of one request.
        pub max_headers: u64 = "128",
        /// How long a client may take to send a request's headers.
        pub header_timeout: Period = "30s",
        /// How long a client may take to send a whole request body, however small its pauses are.
        #[also("client_body_timeout", "upload_timeout")]
        pub body_timeout: Period = "5m",
        /// Most connections at once; further ones wait to be accepted.
        pub max_connections: u64 = "16384",
        /// How long requests under way may take to end after SIGTERM, before they are cut off.
        #[also("shutdown_timeout", "grace_period", "graceful_shutdown")]
        pub drain: Period = "30s",
        /// How long requests are still taken after SIGTERM while `/ready` already answers 503: longer than a load balancer needs to notice.
        #[also("shutdown_delay", "pre_stop", "accept_grace")]
        pub drain_delay: Period = "0s",
        /// Serve HTTPS. Without it the server speaks plain HTTP.
        #[also("https", "ssl")]
        #[example("{ certificate = \"cert.pem\", key = \"key.pem\" }")]
        pub tls: Option<TlsSection>,
        /// Where the gateway keeps what it must remember: `"memory"` until it ends, `"file:PATH"` in a folder for one process,
        /// `"redis://HOST:PORT/DB"` (`rediss://` with TLS, `redis://USER@HOST` for a user) for several instances. When left out:
        /// `"file:.edgeway"` where that can be written and no other process uses it, `"memory"` with a warning where not.
        #[also("storage", "database", "state", "redis", "persistence")]
        #[example("\"redis://127.0.0.1:6379/0\"")]
        pub store: Option<StoreChoice>,
        /// The name of the secret that holds the store's password. Never the password itself.
        #[also("redis_password", "password", "store_secret")]
        #[example("\"REDIS_PASSWORD\"")]
        pub store_password: Option<SecretName>,
    }
}

section! {
    /// Certificate and key of the server, as PEM files.
    pub struct TlsSection {
        /// File with the certificate chain.
        #[also("cert", "cert_file", "certificate_file", "chain")]
        pub certificate: String,
        /// File with the private key.
        #[also("key_file", "private_key")]
        pub key: String,
    }
}

section! {
    /// Time budgets of one attempt at a provider, where neither its route nor its provider says otherwise.
    pub struct TimeoutsSection {
        /// To a connection, TLS included.
        pub connect: Period = "10s",
        /// From the end of the request to the headers of the response. Models that think before they answer need minutes.
        #[also("first_token", "read", "ttfb")]
        pub first_byte: Period = "5m",
        /// Between two chunks of the response.
        pub idle: Period = "2m",
        /// The whole exchange, to the last byte of the response.
        #[also("request", "timeout", "overall")]
        pub total: Period = "15m",
    }
}

section! {
    /// Time budgets that differ here. Those left out stay as they are further out.
    pub struct TimeoutsChange {
        /// To a connection, TLS included.
        pub connect: Option<Period>,
        /// From the end of the request to the headers of the response.
        #[also("first_token", "read", "ttfb")]
        pub first_byte: Option<Period>,
        /// Between two chunks of the response.
        pub idle: Option<Period>,
        /// The whole exchange, to the last byte of the response.
        #[also("request", "timeout", "overall")]
        pub total: Option<Period>,
    }
}

section! {
    /// Who may call the gateway.
    pub struct AuthSection {
        /// Names of the secrets (environment variables, on the native server) that hold the gateway's own keys. A caller sends
        /// one of them the way its SDK sends a key. Without any, and where nothing else is `required`, everybody who can connect
        /// may call, so the server then listens on this machine only.
        #[also("key", "api_keys")]
        #[example("[\"EDGEWAY_KEY\"]")]
        pub keys: Vec<SecretName>,
        /// Whether a caller must show who it is. When left out: if `keys` or `issuers` name any. Write `true` where all callers hold
        /// virtual keys; see [identity.md](identity.md).
        #[also("require", "enabled", "mandatory")]
        pub required: Option<bool>,
        /// How soon a running gateway notices that a virtual key was changed or revoked.
        #[also("cache", "cache_ttl", "ttl")]
        pub refresh: Period = "1s",
        /// How long virtual keys that were in use stay good while the store that holds them does not answer.
        #[also("stale", "stale_if_error")]
        pub grace: Period = "5m",
        /// Issuers whose tokens (JWT) are good here as well, by name; see [tokens.md](tokens.md).
        #[also("issuer", "jwt", "oidc", "tokens", "providers")]
        pub issuers: Named<IssuerSection>,
    }
}

section! {
    /// Who may administer the gateway, over HTTP at `/admin/v1`.
    pub struct AdminSection {
        /// Names of the secrets that hold the administrators' keys. None of them may be one of `auth.keys`. Without any, the
        /// administration is off.
        #[also("key", "admin_keys", "tokens")]
        #[example("[\"EDGEWAY_ADMIN_KEY\"]")]
        pub keys: Vec<SecretName>,
        /// The name of the secret with which the first administrator's key can be made, once: `POST /admin/v1/bootstrap`.
        #[also("bootstrap_key", "setup", "bootstrap_token")]
        #[example("\"EDGEWAY_BOOTSTRAP\"")]
        pub bootstrap: Option<SecretName>,
    }
}

section! {
    /// The document that is stored with the gateway and laid over file and environment; see [config-versions.md](config-versions.md).
    pub struct ConfigSection {
        /// How soon a running gateway notices a new version that was pushed through another one.
        #[also("interval", "poll", "reload", "ttl")]
        pub refresh: Period = "10s",
    }
}

section! {
    /// What is kept of requests, for `GET /admin/v1/usage`; see [usage.md](usage.md).
    pub struct UsageSection {
        /// Whether a record of every request to a model is kept in the key-value store, where there is one.
        #[also("enabled", "log", "keep", "on")]
        pub store: bool = "true",
        /// How long a record is kept.
        #[also("ttl", "keep_for", "expire", "days")]
        pub retention: Period = "90d",
    }
}

section! {
    /// A provider: for a built-in one say only what differs; one of your own needs at least a `base_url`.
    pub struct ProviderSection {
        /// Its name for people.
        pub title: Option<String>,
        /// Where it is. Edgeway appends the dialect's own path (`/chat/completions`, `/messages`, ...).
        #[also("url", "api_base", "endpoint", "baseURL", "base")]
        #[example("\"https://llm.example.com/v1\"")]
        pub base_url: Option<String>,
        /// The protocols that it speaks at `base_url`, most native first. `["openai_chat"]` for a provider of your own.
        #[also("dialect", "protocol", "protocols", "api", "type")]
        #[example("[\"openai_chat\"]")]
        pub dialects: Option<Vec<DialectId>>,
        /// Instead of `base_url` and `dialects`, when each protocol has an address of its own.
        #[example("[{ dialect = \"anthropic_messages\", base_url = \"https://llm.example.com/anthropic/v1\" }]")]
        pub speaks: Option<Vec<SpeaksSection>>,
        /// The name of the secret that holds its key. Never the key itself.
        #[also("api_key", "apikey", "key_name", "secret", "token", "key_env", "api_key_env", "env_key")]
        #[example("\"EXAMPLE_API_KEY\"")]
        pub key: Option<SecretName>,
        /// How the key is sent: `"native"` as the protocol's owner does it, `"bearer"` as `Authorization: Bearer`, `"none"` not
        /// at all, or in a header of its own.
        #[also("auth", "auth_scheme", "scheme")]
        #[example("{ header = \"api-key\" }")]
        pub credential: Option<CredentialChoice>,
        /// Headers added to every request. Not for secrets, which belong into `key`.
        #[example("{ \"x-project\" = \"search\" }")]
        pub headers: Option<Named<String>>,
        /// Prefixes of bare model names that this provider owns: a request for such a model needs no `provider/`.
        #[also("prefixes", "model_prefixes")]
        #[example("[\"acme-\"]")]
        pub owns: Option<Vec<String>>,
        /// Whether it runs on your own machine or network, so that addresses which are not public may be reached. When left out,
        /// the address of `base_url` decides.
        pub local: Option<bool>,
        /// What it does differently from its dialect's owner.
        pub quirks: Option<QuirksSection>,
        /// Time budgets for this provider: the fields of `[timeouts]` that differ.
        pub timeouts: Option<TimeoutsChange>,
        /// Models to list at `GET /v1/models`, as they are named at the provider.
        #[example("[\"acme-large\", \"acme-small\"]")]
        pub models: Option<Vec<String>>,
        /// Whether it is used. When left out: if its key is set, or it needs none.
        #[also("disabled", "active", "on")]
        pub enabled: Option<bool>,
    }
}

section! {
    /// A protocol, and where the provider speaks it.
    pub struct SpeaksSection {
        /// The protocol.
        pub dialect: DialectId,
        /// Its address.
        #[also("url", "api_base", "endpoint")]
        pub base_url: String,
    }
}

section! {
    /// A header that carries the key.
    pub struct CredentialHeader {
        /// The header's name; its value is the key and nothing else.
        #[also("name")]
        pub header: String,
    }
}

section! {
    /// What a provider does differently from its dialect's owner. `true` turns one on, `false` turns a built-in one off.
    pub struct QuirksSection {
        /// The field in which it takes the most tokens to generate.
        pub max_tokens: Option<MaxTokensField>,
        /// Refuses `stream_options`.
        pub no_stream_options: Option<bool>,
        /// Knows only `system`, not `developer` messages.
        pub no_developer_role: Option<bool>,
        /// Refuses `response_format` of type `json_schema`; `json_object` and an instruction are sent instead.
        pub no_json_schema: Option<bool>,
        /// Refuses `strict` on tools.
        pub no_strict_tools: Option<bool>,
        /// Refuses `parallel_tool_calls`.
        pub no_parallel_tool_calls: Option<bool>,
        /// Calls the tool choice `required` `any`.
        pub tool_choice_any: Option<bool>,
        /// Takes only nine letters and digits as a tool call's id.
        pub short_tool_ids: Option<bool>,
        /// Refuses `reasoning_effort`.
        pub no_reasoning_effort: Option<bool>,
        /// Refuses or ignores `seed`.
        pub no_seed: Option<bool>,
        /// Refuses `n` above 1.
        pub no_candidates: Option<bool>,
        /// Refuses `logprobs`.
        pub no_logprobs: Option<bool>,
        /// Takes text only as a string, not as content parts.
        pub text_as_string: Option<bool>,
        /// Wants `reasoning_content` of earlier assistant turns back.
        pub reasoning_content: Option<bool>,
        /// Wants `reasoning_details` of earlier assistant turns back, signatures included.
        pub reasoning_details: Option<bool>,
        /// Calls the seed `random_seed`.
        pub random_seed: Option<bool>,
        /// Takes `top_k` beside OpenAI's sampling parameters.
        pub top_k: Option<bool>,
        /// Takes Anthropic's `cache_control` on parts and tools.
        pub cache_control: Option<bool>,
        /// Takes `tool_choice` of type `allowed_tools`; others are sent a shorter list of tools.
        pub allowed_tools: Option<bool>,
        /// Knows the beta headers of its dialect's owner.
        pub beta_headers: Option<bool>,
    }
}

section! {
    /// An alias when it has targets; otherwise what Edgeway should know of the model of that name (`gpt-x`, or `openai/gpt-x` for
    /// one provider's).
    pub struct ModelSection {
        /// Where the alias leads, as `provider/model`.
        #[also("to", "model", "alias")]
        #[example("\"openai/gpt-4.1\"")]
        pub target: Option<String>,
        /// Where the alias leads, several: the first that answers.
        #[also("fallbacks", "to")]
        #[example("[\"openai/gpt-4.1\", \"anthropic/claude-sonnet-4-5\"]")]
        pub targets: Option<Vec<String>>,
        /// Most tokens of input and output together.
        #[also("context_window", "context_length")]
        #[example("200000")]
        pub context: Option<u64>,
        /// Most tokens of one answer.
        #[also("max_tokens", "max_output_tokens")]
        #[example("64000")]
        pub max_output: Option<u64>,
        /// What it costs, instead of what the catalog says; see [prices.md](prices.md).
        #[also("cost", "prices", "pricing")]
        #[example("{ input = \"2.5usd\", output = \"15usd\" }")]
        pub price: Option<PriceSection>,
    }
}

section! {
    /// What a model costs, in US dollars for a million tokens.
    pub struct PriceSection {
        /// Fresh input.
        #[also("prompt", "input_cost_per_token", "in")]
        #[example("\"2.5usd\"")]
        pub input: NanoUsd,
        /// Output, reasoning included.
        #[also("completion", "output_cost_per_token", "out")]
        #[example("\"15usd\"")]
        pub output: NanoUsd,
        /// Input read from the provider's cache. When left out: as fresh input.
        #[also("cached", "cached_input", "cache")]
        #[example("\"0.25usd\"")]
        pub cache_read: Option<NanoUsd>,
        /// Input written to the cache. When left out: as fresh input.
        #[example("\"3.125usd\"")]
        pub cache_write: Option<NanoUsd>,
        /// Input written to the cache for an hour. When left out: as `cache_write`.
        pub cache_write_1h: Option<NanoUsd>,
        /// Audio input. When left out: as fresh input.
        pub audio_input: Option<NanoUsd>,
        /// Audio output. When left out: as output.
        pub audio_output: Option<NanoUsd>,
        /// What each request costs beside its tokens.
        #[also("per_request", "fee")]
        #[example("\"0.005usd\"")]
        pub request: Option<NanoUsd>,
        /// Other prices for requests with a long input, the whole of them.
        #[also("long", "tier", "long_context")]
        #[example("[{ above = 200000, input = \"5usd\", output = \"22.5usd\" }]")]
        pub tiers: Vec<TierSection>,
    }
}

section! {
    /// What a model costs, in US dollars for a million tokens, in a request whose input is long.
    pub struct TierSection {
        /// Requests with more tokens of input than this, cached ones included.
        #[also("over", "from", "threshold", "min")]
        pub above: u64,
        /// Fresh input.
        pub input: NanoUsd,
        /// Output, reasoning included.
        pub output: NanoUsd,
        /// Input read from the provider's cache. When left out: as fresh input.
        pub cache_read: Option<NanoUsd>,
        /// Input written to the cache. When left out: as fresh input.
        pub cache_write: Option<NanoUsd>,
        /// Input written to the cache for an hour. When left out: as `cache_write`.
        pub cache_write_1h: Option<NanoUsd>,
    }
}

section! {
    /// A route: requests for which models go to which targets, within which limits. Routes are tried in order of `priority`,
    /// then of appearance; the first with a pattern that matches is taken.
    pub struct RouteSection {
        /// Names of the requested models: `"gpt-4.1"`, or with one `*` at the end: `"gpt-*"`, `"*"`.
        #[also("model", "match", "patterns")]
        #[example("[\"gpt-*\"]")]
        pub models: Vec<String>,
        /// Where to send them, as `provider/model` or an alias, in order: the next is tried when one fails before any content.
        #[also("target", "fallbacks", "providers", "to")]
        #[example("[\"openai/gpt-4.1\", \"anthropic/claude-sonnet-4-5\"]")]
        pub targets: Vec<String>,
        /// Short for `timeouts.total`.
        pub timeout: Option<Period>,
        /// Time budgets for this route: the fields of `[timeouts]` that differ. What it leaves out is as its providers have it.
        pub timeouts: Option<TimeoutsChange>,
        /// Largest request body on this route.
        #[also("max_body_size", "body_limit")]
        pub max_body: Option<Size>,
        /// Whether requests on this route may come without a key. One that shows a key is still held to it.
        #[also("public", "no_auth", "unauthenticated", "open")]
        pub anonymous: Option<bool>,
        /// Routes with a higher number are tried first.
        #[also("order", "weight")]
        pub priority: i64 = "0",
    }
}

word! { DialectId, "a protocol", || DialectId::ALL.map(|dialect| (dialect.name(), dialect)) }
word! {
    MaxTokensField, "a field",
    || [("max_tokens", MaxTokensField::MaxTokens), ("max_completion_tokens", MaxTokensField::MaxCompletionTokens)]
}

/// How a provider's key is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum CredentialChoice {
    /// As the protocol's owner does it.
    Native,
    /// `Authorization: Bearer`.
    Bearer,
    /// Not at all.
    None,
    /// In this header.
    Header(CredentialHeader),
}

impl CredentialChoice {
    const WORDS: [(&'static str, CredentialChoice); 3] =
        [("native", Self::Native), ("bearer", Self::Bearer), ("none", Self::None)];
}

impl Shape for CredentialChoice {
    const KIND: Kind = Kind::WordOr(|| Self::WORDS.map(|(word, _)| word).to_vec(), &CredentialHeader::SECTION);

    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        match &node.value {
            Value::Table(_) => CredentialHeader::read(node, at, report).map(Self::Header),
            Value::Text(_) => super::word::read(node, at, report, Self::KIND, "a way to send a key", &Self::WORDS),
            _ => mistyped(Self::KIND, node, at, report),
        }
    }
}

impl Serialize for CredentialChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Header(header) => header.serialize(serializer),
            plain => match Self::WORDS.iter().find(|(_, word)| word == plain) {
                Some((word, _)) => serializer.serialize_str(word),
                None => serializer.serialize_none(),
            },
        }
    }
}

impl Shape for Period {
    const KIND: Kind = Kind::Duration;

    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        match &node.value {
            Value::Text(text) => measured(text.parse(), text, Self::KIND, at, report),
            Value::Integer(number) => {
                report.error(at, format!("{number} has no unit"), format!("write \"{number}s\" for seconds, or \"{number}ms\""));
                None
            }
            _ => mistyped(Self::KIND, node, at, report),
        }
    }
}

impl Shape for NanoUsd {
    const KIND: Kind = Kind::Money;

    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        match &node.value {
            Value::Text(text) => measured(text.parse(), text, Self::KIND, at, report),
            _ => mistyped(Self::KIND, node, at, report),
        }
    }
}

impl Shape for Size {
    const KIND: Kind = Kind::Size;

    fn read(node: &Node, at: &Path, report: &mut Report<'_>) -> Option<Self> {
        match &node.value {
            Value::Text(text) => measured(text.parse(), text, Self::KIND, at, report),
            Value::Integer(_) => u64::read(node, at, report).map(Self),
            _ => mistyped(Self::KIND, node, at, report),
        }
    }
}

fn measured<T>(read: Result<T, String>, text: &str, kind: Kind, at: &Path, report: &mut Report<'_>) -> Option<T> {
    read.map_err(|why| {
        report.error(at, format!("`{}` {why}", super::diagnostic::shown(text)), format!("write {}", kind.noun()));
    })
    .ok()
}
