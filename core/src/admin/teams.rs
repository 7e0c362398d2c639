//! The teams of a tenant.

use super::kind::Of;
use super::resource::rows;
use super::route::Route;
use crate::identity::Team;

static KIND: Of<Team> = Of::KIND;

pub(super) static ROUTES: &[Route] = rows!(KIND, "team", "teams", TeamsRead, TeamsWrite);
