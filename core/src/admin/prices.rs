//! The model catalog, and what the configuration says instead. See `docs/prices.md`.

use http::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::asked::{Asked, invalid};
use super::desk::Desk;
use super::problem::Problem;
use super::route::{Reach, Route};
use crate::endpoint::{BodyLimit, Requires};
use crate::identity::Permission;
use crate::model::catalog;

pub(super) static ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/admin/v1/prices",
    name: "prices",
    requires: Requires::Holds(Permission::PricesRead),
    reach: Reach::Own,
    body: BodyLimit::None,
    summary: "What is known of models, and what they cost, with the page that says so.",
    work: |desk, asked| Box::pin(async { desk.prices(asked) }),
}];

impl Desk<'_> {
    fn prices(&self, asked: &Asked<'_>) -> Result<Answer, Problem> {
        let (provider, model) = (asked.query("provider")?, asked.query("model")?);
        let limit = asked.limit()?;
        let from: usize = match asked.after()? {
            Some(place) => place.parse().map_err(|_| invalid("`after` is the `next` of the page before.").at("after"))?,
            None => 0,
        };
        let wanted = |entry: &catalog::Entry| {
            provider.as_deref().is_none_or(|provider| entry.sold_at.contains(&provider))
                && model.as_deref().is_none_or(|model| entry.model.starts_with(&catalog::spelled(model)))
        };
        let mut rows = catalog::entries().filter(wanted).skip(from);
        let page: Vec<catalog::Entry> = rows.by_ref().take(limit).collect();
        let next = rows.next().is_some().then(|| (from + page.len()).to_string());
        let mut body = json!({"version": catalog::VERSION, "items": page, "next": next});
        // What an operator pays is not a tenant's business.
        if self.caller.tenant.is_none() {
            body["stated"] = self.stated();
        }
        Ok(Answer::json(body))
    }

    /// The prices that the configuration states, by the name under which it does.
    fn stated(&self) -> Value {
        let config = self.live.config();
        let stated = config.models.iter().filter_map(|(name, entry)| Some((name.clone(), json!(**entry.price.as_ref()?))));
        Value::Object(stated.collect())
    }
}
