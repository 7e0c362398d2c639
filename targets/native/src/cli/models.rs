//! `edgeway models`: the models that can be asked for by name, and where the names lead.
//!
//! Any other model of a provider that is on can be asked for as `provider/model`; nobody keeps a list of those.

use edgeway_core::route::visible_models;
use serde_json::{Value, json};

use super::configuration::Ready;
use super::output::{Output, Paint, paint, table};

pub(super) fn run(ready: &Ready, output: &Output) {
    let models = visible_models(&ready.resolved.config);
    if output.json {
        let rows = models.iter().map(|(name, target)| {
            json!({
                "name": name,
                "provider": target.provider.row.name,
                "model": target.model,
                "context": target.limits.context,
                "max_output": target.limits.max_output,
            })
        });
        return output.print_json(&Value::Array(rows.collect()));
    }
    let tokens = |limit: Option<u64>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    let mut rows = vec![["MODEL", "LEADS TO", "CONTEXT", "MOST OUTPUT"].map(str::to_owned).to_vec()];
    rows.extend(models.iter().map(|(name, target)| {
        let leads_to = format!("{}/{}", target.provider.row.name, target.model);
        vec![name.clone(), leads_to, tokens(target.limits.context), tokens(target.limits.max_output)]
    }));
    output.print(&table(output.colour, &rows));
    let hint = "Every other model of a provider that is on: `provider/model`. Providers: `edgeway providers`.\n";
    output.say(&paint(output.error_colour, Paint::Dim, hint));
}
