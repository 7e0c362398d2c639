//! Whoever sent a request, as every later step sees it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Access, Name, Permissions};
use crate::policy::limit::{Budget, Limits};

/// Whoever sent a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// How it is known.
    pub proof: Proof,
    /// Whose it is; `None` for the operator's own, who reaches every tenant.
    pub tenant: Option<Name>,
    /// Its team.
    pub team: Option<Name>,
    /// Its application.
    pub application: Option<Name>,
    /// The user in whose name it acts.
    pub user: Option<Name>,
    /// What its key was labelled with.
    pub labels: Arc<BTreeMap<String, String>>,
    /// What it may do.
    pub permissions: Permissions,
    /// What it may ask for, and from where.
    pub access: Arc<Access>,
    /// The limits and budgets of its key, application, team and tenant, as those objects carry them.
    pub shares: Arc<[Share]>,
    /// Whether answers tell it their cost and what is left of its limits and budgets.
    pub informed: bool,
    /// Where the request comes from, if the platform knows.
    pub address: Option<IpAddr>,
}

/// How a caller is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Not at all: no authentication is configured, or the endpoint or route needs none.
    #[default]
    Nobody,
    /// It holds the key in the secret of this name.
    Secret(String),
    /// It holds the virtual key with this id.
    Key(String),
    /// It holds a token of this issuer (its name in the configuration) for this subject.
    Token {
        /// The issuer's name in the configuration.
        issuer: String,
        /// The token's `sub`.
        subject: String,
    },
}

/// The limits and budgets that one object carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The object: `key/ID`, `application/TENANT/NAME`, `team/TENANT/NAME`, `tenant/NAME`. Names its cells.
    pub of: String,
    /// Its limits.
    pub limits: Limits,
    /// Its budgets.
    pub budgets: Vec<Budget>,
}

impl Caller {
    /// The name in logs and records: a secret's name, a key's id, `issuer:subject`. `None` for nobody.
    pub fn name(&self) -> Option<String> {
        match &self.proof {
            Proof::Nobody => None,
            Proof::Secret(name) => Some(name.clone()),
            Proof::Key(id) => Some(id.clone()),
            Proof::Token { issuer, subject } => Some(format!("{issuer}:{subject}")),
        }
    }
}
