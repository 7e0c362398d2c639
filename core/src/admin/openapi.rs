//! The API's document, OpenAPI 3.1: generated from the rows and the types by this module's tests, committed, and served.

use http::Method;

use super::answer::Answer;
use super::route::{Reach, Route};
use crate::endpoint::{BodyLimit, Requires};

#[cfg(test)]
mod tests;

static DOCUMENT: &str = include_str!("openapi.json");

pub(super) static ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/admin/v1/openapi.json",
    name: "openapi",
    requires: Requires::Known,
    reach: Reach::Own,
    body: BodyLimit::None,
    summary: "This document.",
    work: |_, _| Box::pin(async { Ok(Answer::text("application/json", DOCUMENT.to_owned())) }),
}];
