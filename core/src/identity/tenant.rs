//! Tenants: whose everything else is.

use serde::{Deserialize, Serialize};

use super::bounds::{self, Wrong};
use crate::objects::Object;
use crate::policy::limit::{Budget, Limits};
use crate::ports::Timestamp;

/// A tenant: a customer, a department, a product. Nobody of one tenant sees or reaches another's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Tenant {
    /// Its name for people.
    pub title: String,
    /// Whether everything of it is refused for now.
    pub suspended: bool,
    /// Limits on all of its requests together.
    pub limits: Limits,
    /// Budgets for all of its requests together.
    pub budgets: Vec<Budget>,
    /// When it was made.
    pub created: Timestamp,
}

impl Object for Tenant {
    const KIND: &'static str = "tenant";
}

impl Tenant {
    /// What cannot be kept.
    pub fn wrong(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        bounds::title(&self.title, &mut wrong);
        bounds::shares(&self.limits, &self.budgets, &mut wrong);
        wrong
    }
}
