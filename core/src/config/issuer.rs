//! Issuers of tokens: what a document says of one, and what it means.

use std::net::IpAddr;
use std::time::Duration;

use http::Uri;

use super::duration::Period;
use super::secret_name::SecretName;
use super::shape::{Named, section};
use super::word::word;
use crate::identity::Name;
use crate::policy::auth::token::Algorithm;
use crate::ports::Network;

section! {
    /// An issuer whose tokens (JWT) callers may show instead of a key; see [tokens.md](tokens.md).
    pub struct IssuerSection {
        /// Its name in tokens, the claim `iss`, to the letter. Its keys are found from there, unless `jwks` says where they are.
        #[also("iss", "url", "issuer_url", "authority", "domain")]
        #[example("\"https://login.example.com/\"")]
        pub issuer: String,
        /// Names of this gateway in tokens: one of them must be in the claim `aud`.
        #[also("aud", "audiences", "client_id", "client_ids")]
        #[example("[\"https://edgeway.example.com\"]")]
        pub audience: Vec<String>,
        /// Where its keys are. When left out, `ISSUER/.well-known/openid-configuration` is asked; they are then on the issuer's own
        /// origin, or are not fetched.
        #[also("jwks_uri", "jwks_url", "keys", "keys_url", "certs")]
        #[example("\"https://www.googleapis.com/oauth2/v3/certs\"")]
        pub jwks: Option<String>,
        /// Instead of published keys: the name of the secret with which the issuer signs (`HS256`), at least 32 bytes long.
        #[also("shared_secret", "hmac", "client_secret")]
        #[example("\"TOKEN_SECRET\"")]
        pub secret: Option<SecretName>,
        /// How its tokens may be signed. When left out: in every way that its keys allow.
        #[also("algorithm", "alg", "algs", "signing_algorithms")]
        #[example("[\"RS256\", \"ES256\"]")]
        pub algorithms: Vec<Algorithm>,
        /// Whether it runs on your own machine or network, so that addresses which are not public may be reached.
        pub local: Option<bool>,
        /// The tenant of all its callers. Without `tenant` and `tenant_claim` they are the operator's own.
        pub tenant: Option<String>,
        /// The claim that names a caller's tenant; a token without it is refused. A claim in another is written as a JSON pointer.
        #[example("\"org\"")]
        pub tenant_claim: Option<String>,
        /// The team of all its callers.
        pub team: Option<String>,
        /// The claim that names a caller's team, where a token has it.
        #[example("\"/ext/team\"")]
        pub team_claim: Option<String>,
        /// The claim that names the user. What is no name here (`ada@example.com`) becomes one: `ada-example-com-` and a hash.
        #[also("username_claim", "subject_claim")]
        pub user_claim: String = "sub",
        /// The role of callers whose token gives them none. When left out, they may call models and nothing else, or nothing at
        /// all where `role_claim` says who may.
        #[also("default_role")]
        #[example("\"developer\"")]
        pub role: Option<String>,
        /// The claim that names a caller's role or roles, a string or a list. Names that are no roles count for nothing.
        #[also("roles_claim", "groups_claim", "groups")]
        #[example("\"/realm_access/roles\"")]
        pub role_claim: Option<String>,
        /// Roles by what the claim says, where that is not the role's own name. With it, what is not listed counts for nothing.
        #[also("role_mapping", "map")]
        #[example("{ \"Gateway Admins\" = \"admin\" }")]
        pub roles: Named<String>,
        /// Claims that label the caller's records and limits, by their names.
        #[also("label_claims", "metadata")]
        #[example("[\"department\"]")]
        pub labels: Vec<String>,
        /// Whether its callers may administer, as far as their roles go. Otherwise they may call models at most.
        #[also("administrators", "admins")]
        pub admin: Option<bool>,
        /// How far its clock and the gateway's may be apart.
        #[also("clock_skew", "skew", "clock_tolerance")]
        pub leeway: Period = "30s",
        /// How old its keys may be before they are fetched again. A key that it withdraws is trusted no longer than this.
        #[also("cache", "cache_ttl", "ttl")]
        pub refresh: Period = "10m",
        /// How old its keys may be while it does not answer.
        #[also("stale", "stale_if_error")]
        pub grace: Period = "24h",
    }
}

word! { Algorithm, "a way to sign tokens", || Algorithm::ALL }

/// An issuer of tokens.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its name in the configuration.
    pub name: String,
    /// Its name in tokens.
    pub url: String,
    /// The gateway's names in tokens.
    pub audience: Vec<String>,
    /// Where its keys come from.
    pub keys: KeySource,
    /// How its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// Which addresses may be asked for its keys.
    pub network: Network,
    /// The tenant of its callers.
    pub tenant: Told,
    /// Their team.
    pub team: Told,
    /// The claim that names the user.
    pub user_claim: String,
    /// The role of callers whose token gives them none.
    pub role: Option<String>,
    /// The claim that names roles.
    pub role_claim: Option<String>,
    /// Roles by what the claim says; empty when it names roles itself.
    pub roles: Named<String>,
    /// Claims that become labels.
    pub labels: Vec<String>,
    /// Whether its callers may administer.
    pub admin: bool,
    /// How far clocks may be apart.
    pub leeway: Duration,
    /// How old its keys may be.
    pub refresh: Duration,
    /// How old they may be while it does not answer.
    pub grace: Duration,
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// From where its discovery document says.
    Discovered,
    /// From this address.
    At(String),
    /// From the secret of this name.
    Secret(String),
}

/// Who says something of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nobody.
    No,
    /// The configuration: it is this.
    Fixed(Name),
    /// This claim.
    By(String),
}

impl Told {
    fn of(fixed: Option<&String>, claim: Option<&String>) -> Self {
        match (fixed.and_then(|name| name.parse().ok()), claim) {
            (_, Some(claim)) => Self::By(claim.clone()),
            (Some(name), None) => Self::Fixed(name),
            (None, None) => Self::No,
        }
    }
}

impl Issuer {
    /// What the document says of the issuer `name`; what is wrong with it was reported already.
    pub(super) fn of(name: &str, section: &IssuerSection) -> Self {
        let keys = match (&section.secret, &section.jwks) {
            (Some(secret), _) => KeySource::Secret(secret.as_str().to_owned()),
            (None, Some(address)) => KeySource::At(address.trim().to_owned()),
            (None, None) => KeySource::Discovered,
        };
        let asked = section.jwks.as_deref().unwrap_or(&section.issuer);
        let local = section.local.unwrap_or_else(|| is_literal(asked));
        Self {
            name: name.to_owned(),
            url: section.issuer.clone(),
            audience: section.audience.clone(),
            algorithms: algorithms(section),
            keys,
            network: if local { Network::Any } else { Network::Public },
            tenant: Told::of(section.tenant.as_ref(), section.tenant_claim.as_ref()),
            team: Told::of(section.team.as_ref(), section.team_claim.as_ref()),
            user_claim: section.user_claim.clone(),
            role: section.role.clone(),
            role_claim: section.role_claim.clone(),
            roles: section.roles.clone(),
            labels: section.labels.clone(),
            admin: section.admin.unwrap_or(false),
            leeway: section.leeway.0,
            refresh: section.refresh.0,
            grace: section.grace.0,
        }
    }
}

/// A literal address in the configuration is the operator's own word for it.
fn is_literal(address: &str) -> bool {
    let uri: Option<Uri> = address.trim().parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or("");
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// How an issuer's tokens may be signed: as it says, else with any published key, or with the usual code under a secret.
fn algorithms(section: &IssuerSection) -> Vec<Algorithm> {
    if !section.algorithms.is_empty() {
        return section.algorithms.clone();
    }
    if section.secret.is_some() {
        return vec![Algorithm::Hs256];
    }
    Algorithm::ALL.into_iter().map(|(_, algorithm)| algorithm).filter(|algorithm| !algorithm.is_symmetric()).collect()
}
