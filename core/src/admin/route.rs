//! The table of what can be asked: one row an endpoint, in the file of its resource.
//!
//! A resource is a file beside this one: its rows, and the functions that they name. Nothing else has to change for a new
//! one but [`RESOURCES`]. The API's document is generated from the same rows (see `openapi.rs`).
//!
//! Invariant: a row cannot be written without a permission, a reach and a body limit.

use std::fmt;

use futures_util::future::BoxFuture;
use http::Method;

use super::answer::Answer;
use super::asked::Asked;
use super::desk::Desk;
use super::problem::Problem;
use crate::endpoint::{BodyLimit, Requires};

/// Every resource's rows.
pub(super) static RESOURCES: &[&[Route]] = &[
    super::tenants::ROUTES,
    super::teams::ROUTES,
    super::applications::ROUTES,
    super::users::ROUTES,
    super::roles::ROUTES,
    super::keys::ROUTES,
    super::bootstrap::ROUTES,
    super::standings::ROUTES,
    super::audit::ROUTES,
    super::config::ROUTES,
    super::whoami::ROUTES,
    super::prices::ROUTES,
    super::usage::ROUTES,
    super::openapi::ROUTES,
];

/// Every row.
pub(crate) fn routes() -> impl Iterator<Item = &'static Route> + Clone {
    RESOURCES.iter().flat_map(|rows| rows.iter())
}

/// One endpoint.
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, a pattern of [`crate::endpoint::Named`].
    pub path: &'static str,
    /// Its name in logs and records, in the audit trail and in the API's document.
    pub name: &'static str,
    /// What is required of the caller.
    pub requires: Requires,
    /// Whose business it is.
    pub reach: Reach,
    /// How much body is read.
    pub body: BodyLimit,
    /// What it does, for the API's document.
    pub summary: &'static str,
    /// What is done.
    pub(crate) work: Work,
}

/// Whose business an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The operator's: a tenant's own callers are refused.
    Operator,
    /// That of the tenant that the path names, and the operator's. To other tenants' callers nothing is there.
    Tenant,
    /// Every caller's; the work itself shows each only what is theirs.
    Own,
}

/// The work of a row.
pub(crate) type Work = for<'a> fn(&'a Desk<'a>, &'a Asked<'a>) -> Answering<'a>;

/// An answer to come.
pub(crate) type Answering<'a> = BoxFuture<'a, Result<Answer, Problem>>;

impl Route {
    /// Whether it changes nothing.
    pub fn safe(&self) -> bool {
        self.method == Method::GET
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Route {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_endpoint_has_a_name_and_a_line_of_its_own() {
        let names: BTreeSet<_> = routes().map(|route| route.name).collect();
        let lines: BTreeSet<_> = routes().map(|route| (route.method.as_str(), route.path)).collect();
        assert_eq!((names.len(), lines.len()), (routes().count(), routes().count()));
        for route in routes() {
            assert!(route.path.starts_with("/admin/v1/"), "{}", route.path);
            assert_eq!(route.reach == Reach::Tenant, route.path.contains("{tenant}"), "{}", route.path);
            assert!(route.summary.ends_with('.'), "{}", route.path);
            assert_ne!(route.requires, Requires::Anyone, "{} is open to the world", route.path);
            let reads = matches!(route.body, BodyLimit::AtMost(most) if most > 0);
            assert!(reads || route.body == BodyLimit::None, "{}: a limit of its own", route.path);
            assert!(!reads || !route.safe() && route.method != Method::DELETE, "{} reads a body", route.path);
        }
    }
}
