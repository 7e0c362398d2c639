//! Applications of a tenant.

use serde::{Deserialize, Serialize};

use super::Name;
use super::bounds::{self, Wrong};
use crate::objects::Object;
use crate::policy::limit::{Budget, Limits};
use crate::ports::Timestamp;

/// An application of a tenant: a program that calls models, with as many keys as it has deployments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Application {
    /// Its name for people.
    pub title: String,
    /// The team that it belongs to; its keys do too, unless they name another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<Name>,
    /// Whether everything of it is refused for now.
    pub suspended: bool,
    /// Limits on all of its requests together.
    pub limits: Limits,
    /// Budgets for all of its requests together.
    pub budgets: Vec<Budget>,
    /// When it was made.
    pub created: Timestamp,
}

impl Object for Application {
    const KIND: &'static str = "application";
}

impl Application {
    /// What cannot be kept.
    pub fn wrong(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        bounds::title(&self.title, &mut wrong);
        bounds::shares(&self.limits, &self.budgets, &mut wrong);
        wrong
    }
}
