//! The roles that a tenant made. Those that are always there are in [`crate::identity::role`], and are no objects.

use super::kind::Of;
use super::resource::rows;
use super::route::Route;
use crate::identity::Role;

static KIND: Of<Role> = Of::KIND;

pub(super) static ROUTES: &[Route] = rows!(KIND, "role", "roles", RolesRead, RolesWrite);
