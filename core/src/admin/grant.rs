//! What an object says of others, looked at before it is kept: they exist, and nothing is granted that its author lacks.

use http::StatusCode;
use serde_json::json;

use super::asked::unprocessable;
use super::desk::{Desk, away};
use super::kind::{Claims, Grants, Kind, Of};
use super::problem::Problem;
use crate::identity::role::{built_in, within};
use crate::identity::{Application, Name, Permissions, Role, Team, User};

impl Desk<'_> {
    /// Fails with what cannot be kept: 422 for what is not there, 403 for what its author cannot grant.
    pub(super) async fn vet(&self, tenant: Option<&Name>, claims: &Claims) -> Result<(), Problem> {
        let named: [(&dyn Kind, &str, &Option<Name>); 3] = [
            (&Of::<Team>::KIND, "team", &claims.team),
            (&Of::<Application>::KIND, "application", &claims.application),
            (&Of::<User>::KIND, "user", &claims.user),
        ];
        for (kind, field, name) in named {
            let Some(name) = name else { continue };
            if kind.get(self.objects()?, tenant, name.as_str()).await.map_err(away)?.is_none() {
                return Err(missing(field, name));
            }
        }
        let granted = match &claims.grants {
            Grants::Nothing => return Ok(()),
            Grants::These(permissions) => permissions.iter().copied().collect(),
            Grants::Role(name) => self.allowed(tenant, name).await?,
            Grants::Everything => Permissions::ALL,
        };
        let granted = within(tenant, granted);
        if self.caller.permissions.covers(granted) {
            return Ok(());
        }
        let lacking: Vec<_> = granted.iter().filter(|one| !self.caller.permissions.holds(*one)).collect();
        let detail = "That would grant what this key does not hold itself (`lacking`). Ask somebody who holds it.";
        Err(Problem::new(StatusCode::FORBIDDEN, "permission_denied", detail).with("lacking", json!(lacking)))
    }

    /// What a role allows.
    async fn allowed(&self, tenant: Option<&Name>, name: &Name) -> Result<Permissions, Problem> {
        if let Some(permissions) = built_in(name.as_str()) {
            return Ok(permissions);
        }
        let role = self.objects()?.get::<Role>(tenant, name.as_str()).await.map_err(away)?;
        role.map(|role| role.value.allows()).ok_or_else(|| missing("role", name))
    }
}

fn missing(field: &str, name: &Name) -> Problem {
    unprocessable(format!("`{field}` names `{name}`, and there is no such {field}"))
}
