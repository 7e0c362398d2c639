//! Users: people of a tenant, or of the operator.

use serde::{Deserialize, Serialize};

use super::Name;
use super::bounds::{self, Wrong};
use crate::objects::Object;
use crate::ports::Timestamp;

/// A person. Keys and tokens may act in its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// Its name for people.
    pub title: String,
    /// Where it gets mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The most that a key in its name may do, whatever role the key has; none for no such bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Name>,
    /// Whether its keys are refused for now.
    pub suspended: bool,
    /// When it was made.
    pub created: Timestamp,
}

impl Object for User {
    const KIND: &'static str = "user";
}

impl User {
    /// What cannot be kept.
    pub fn wrong(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        bounds::title(&self.title, &mut wrong);
        if let Some(email) = &self.email {
            let plain = email.len() <= 254 && !email.chars().any(|c| c.is_control() || c.is_whitespace());
            if !plain || !email.contains('@') {
                wrong.push(Wrong::at("email", "is no address of at most 254 bytes like `ada@example.com`"));
            }
        }
        wrong
    }
}
