//! The applications of a tenant.

use super::kind::Of;
use super::resource::rows;
use super::route::Route;
use crate::identity::Application;

static KIND: Of<Application> = Of::KIND;

pub(super) static ROUTES: &[Route] = rows!(KIND, "application", "applications", ApplicationsRead, ApplicationsWrite);
