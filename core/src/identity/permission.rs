//! What can be allowed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that a role can allow. Its name is what custom roles list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Permission {
    /// Call models.
    #[serde(rename = "invoke")]
    Invoke,
    /// See tenants.
    #[serde(rename = "tenants:read")]
    TenantsRead,
    /// Create, change and remove tenants.
    #[serde(rename = "tenants:write")]
    TenantsWrite,
    /// See teams.
    #[serde(rename = "teams:read")]
    TeamsRead,
    /// Create, change and remove teams.
    #[serde(rename = "teams:write")]
    TeamsWrite,
    /// See applications.
    #[serde(rename = "applications:read")]
    ApplicationsRead,
    /// Create, change and remove applications.
    #[serde(rename = "applications:write")]
    ApplicationsWrite,
    /// See users.
    #[serde(rename = "users:read")]
    UsersRead,
    /// Create, change and remove users.
    #[serde(rename = "users:write")]
    UsersWrite,
    /// See roles.
    #[serde(rename = "roles:read")]
    RolesRead,
    /// Create, change and remove custom roles.
    #[serde(rename = "roles:write")]
    RolesWrite,
    /// See keys, never their secrets.
    #[serde(rename = "keys:read")]
    KeysRead,
    /// Create, rotate, revoke and remove keys.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// See how limits stand.
    #[serde(rename = "limits:read")]
    LimitsRead,
    /// Reset limits.
    #[serde(rename = "limits:write")]
    LimitsWrite,
    /// See how budgets stand.
    #[serde(rename = "budgets:read")]
    BudgetsRead,
    /// Top budgets up, and reset them.
    #[serde(rename = "budgets:write")]
    BudgetsWrite,
    /// See prices.
    #[serde(rename = "prices:read")]
    PricesRead,
    /// See what requests took and cost.
    #[serde(rename = "usage:read")]
    UsageRead,
    /// See the audit trail.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// See the configuration.
    #[serde(rename = "config:read")]
    ConfigRead,
    /// Change the configuration.
    #[serde(rename = "config:write")]
    ConfigWrite,
}

impl Permission {
    /// All of them, in order.
    pub const ALL: [Self; 22] = [
        Self::Invoke,
        Self::TenantsRead,
        Self::TenantsWrite,
        Self::TeamsRead,
        Self::TeamsWrite,
        Self::ApplicationsRead,
        Self::ApplicationsWrite,
        Self::UsersRead,
        Self::UsersWrite,
        Self::RolesRead,
        Self::RolesWrite,
        Self::KeysRead,
        Self::KeysWrite,
        Self::LimitsRead,
        Self::LimitsWrite,
        Self::BudgetsRead,
        Self::BudgetsWrite,
        Self::PricesRead,
        Self::UsageRead,
        Self::AuditRead,
        Self::ConfigRead,
        Self::ConfigWrite,
    ];
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A set of permissions. Empty: nothing is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u32);

impl Permissions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(u32::MAX);

    /// Whether it holds one.
    pub fn holds(self, one: Permission) -> bool {
        self.0 & (1 << one as u32) != 0
    }

    /// Whether it holds all of `others`: nobody grants more than that.
    pub fn covers(self, others: Self) -> bool {
        Permission::ALL.into_iter().all(|one| self.holds(one) || !others.holds(one))
    }

    /// What it holds, in order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |one| self.holds(*one))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |set, one| set | 1 << one as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_covers_what_it_holds() {
        let some: Permissions = [Permission::Invoke, Permission::ConfigWrite].into_iter().collect();
        assert!(Permissions::ALL.covers(some) && some.covers(some) && some.covers(Permissions::NONE));
        assert!(!some.covers([Permission::KeysRead].into_iter().collect()) && !some.covers(Permissions::ALL));
        assert_eq!(some.iter().collect::<Vec<_>>(), [Permission::Invoke, Permission::ConfigWrite]);
        assert_eq!(Permissions::ALL.iter().count(), Permission::ALL.len());
    }
}
