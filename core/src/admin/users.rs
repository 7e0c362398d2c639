//! The users of a tenant.

use super::kind::Of;
use super::resource::rows;
use super::route::Route;
use crate::identity::User;

static KIND: Of<User> = Of::KIND;

pub(super) static ROUTES: &[Route] = rows!(KIND, "user", "users", UsersRead, UsersWrite);
