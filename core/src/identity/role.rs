//! Roles: which permissions a key or a person holds.
//!
//! | permission | owner | admin | developer | viewer | auditor |
//! |---|---|---|---|---|---|
//! | `invoke` | yes | yes | yes | | |
//! | `tenants:read`, `teams:read`, `applications:read`, `users:read`, `roles:read`, `keys:read` | yes | yes | yes | yes | yes |
//! | `teams:write`, `applications:write`, `users:write`, `keys:write` | yes | yes | | | |
//! | `limits:write`, `budgets:write` | yes | yes | | | |
//! | `roles:write` | yes | | | | |
//! | `limits:read`, `budgets:read`, `prices:read`, `usage:read` | yes | yes | yes | yes | yes |
//! | `audit:read` | yes | yes | | | yes |
//! | `tenants:write`, `config:write` | operator | | | | |
//! | `config:read` | operator | operator | | | operator |
//!
//! *operator*: only where the holder belongs to no tenant. What is the whole gateway's (its configuration, its tenants) is
//! nobody's who belongs to one tenant, whatever a role says: see [`within`].

use serde::{Deserialize, Serialize};

use super::bounds::{self, Wrong};
use super::{Name, Permission, Permissions};
use crate::objects::Object;
use crate::ports::Timestamp;

/// A role that an operator or a tenant made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Role {
    /// Its name for people.
    pub title: String,
    /// What it allows.
    pub permissions: Vec<Permission>,
    /// When it was made.
    pub created: Timestamp,
}

impl Object for Role {
    const KIND: &'static str = "role";
}

impl Role {
    /// What it allows, as a set.
    pub fn allows(&self) -> Permissions {
        self.permissions.iter().copied().collect()
    }

    /// What cannot be kept.
    pub fn wrong(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        bounds::title(&self.title, &mut wrong);
        bounds::few(self.permissions.len(), Permission::ALL.len(), "permissions", &mut wrong);
        wrong
    }
}

/// The names of the roles that are always there, most powerful first. No role of one's own has one of them.
pub const BUILT_IN: [&str; 5] = ["owner", "admin", "developer", "viewer", "auditor"];

/// What a role that is always there allows; `None` for other names.
pub fn built_in(name: &str) -> Option<Permissions> {
    let place = BUILT_IN.iter().position(|known| *known == name)?;
    Some(Permission::ALL.into_iter().filter(|one| holders(*one)[place]).collect())
}

/// The table above, a row a permission.
fn holders(permission: Permission) -> [bool; BUILT_IN.len()] {
    use Permission::*;
    match permission {
        Invoke => [true, true, true, false, false],
        TenantsRead | TeamsRead | ApplicationsRead | UsersRead | RolesRead | KeysRead => [true; 5],
        TeamsWrite | ApplicationsWrite | UsersWrite | KeysWrite | LimitsWrite | BudgetsWrite => [true, true, false, false, false],
        RolesWrite | TenantsWrite | ConfigWrite => [true, false, false, false, false],
        LimitsRead | BudgetsRead | PricesRead | UsageRead => [true; 5],
        AuditRead | ConfigRead => [true, true, false, false, true],
    }
}

/// What is left of `permissions` for somebody of `tenant`: nothing that is the whole gateway's.
pub fn within(tenant: Option<&Name>, permissions: Permissions) -> Permissions {
    let gateway = [Permission::TenantsWrite, Permission::ConfigRead, Permission::ConfigWrite];
    match tenant {
        None => permissions,
        Some(_) => permissions.iter().filter(|one| !gateway.contains(one)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_covers_those_that_can_do_less() {
        let role = |name: &str| built_in(name).expect("a built-in role");
        assert_eq!(role("owner").iter().count(), Permission::ALL.len());
        for name in BUILT_IN {
            assert!(role("owner").covers(role(name)), "{name}");
        }
        assert!(role("admin").covers(role("developer")) && role("developer").covers(role("viewer")));
        assert!(role("admin").covers(role("auditor")) && !role("auditor").covers(role("developer")));
        assert!(!role("admin").covers(role("owner")) && !role("viewer").holds(Permission::Invoke));
        assert_eq!(built_in("root"), None);
    }

    #[test]
    fn only_the_first_two_change_anything() {
        for name in ["developer", "viewer", "auditor"] {
            let writes = built_in(name)
                .expect("a built-in role")
                .iter()
                .filter(|one| serde_json::to_string(one).expect("a permission is a text").contains(":write"));
            assert_eq!(writes.count(), 0, "{name}");
        }
    }

    #[test]
    fn nobody_of_a_tenant_holds_what_is_the_whole_gateways() {
        let tenant: Name = "acme".parse().expect("a name");
        let left = within(Some(&tenant), Permissions::ALL);
        for one in Permission::ALL {
            let gateway = matches!(one, Permission::TenantsWrite | Permission::ConfigRead | Permission::ConfigWrite);
            assert_eq!(left.holds(one), !gateway, "{one:?}");
        }
        assert_eq!(within(None, Permissions::ALL), Permissions::ALL);
    }
}
