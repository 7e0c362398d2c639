//! Reads every layer into one document.
//!
//! Only a text that is no TOML or JSON stops it; everything else that is wrong waits for [`super::compile()`], which reports
//! it together with what it finds itself.

use super::alternative;
use super::diagnostic::{Diagnostic, Report};
use super::document::Document;
use super::environment;
use super::layer::{Layer, Layers};
use super::path::Path;
use super::shape::Shape;
use crate::order;
use crate::provider::{Provider, catalog};

/// A document, and the layers that it was read from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the layers say together.
    pub document: Document,
    /// Where each value comes from.
    pub layers: Layers,
    /// What was wrong with reading it.
    pub(super) found: Vec<Diagnostic>,
    /// What was wrong with variables that give no value.
    pub(super) outside: Vec<Diagnostic>,
    /// The built-in providers.
    pub(super) rows: &'static [Provider],
}

/// Reads the file, if there is one, as (name, text), and the environment over it.
///
/// The environment is any list of variables; those that do not begin with `EDGEWAY` are ignored. An adapter's own
/// overrides (a `--listen` flag) go in as variables too. Fails when a text is no TOML or JSON.
pub fn load(
    file: Option<(&str, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Vec<Diagnostic>> {
    load_with(catalog::PROVIDERS, file.map(|(name, text)| Layer::document("file", name, text)), environment)
}

/// [`load`], with other built-in providers.
pub(super) fn load_with(
    rows: &'static [Provider],
    file: Option<Result<Layer, Vec<Diagnostic>>>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut layers = Layers::of([]);
    let mut found = Vec::new();
    let mut readable = true;
    match file {
        Some(Ok(layer)) => layers.push(layer),
        Some(Err(errors)) => {
            readable = false;
            found.extend(errors);
        }
        None => {}
    }
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_ref()).collect();
    let (errors, document_readable) = environment::lay(&mut layers, environment, &names);
    found.extend(errors);
    if !readable || !document_readable {
        order::sort_by_key(&mut found, |diagnostic| diagnostic.severity);
        return Err(found);
    }
    Ok(Loaded { outside: found, ..read(layers, rows) })
}

impl Loaded {
    /// Lays one more document on top: a stored one over file and environment.
    #[must_use]
    pub fn with(&self, layer: Layer) -> Self {
        let mut layers = self.layers.clone();
        layers.push(layer);
        Loaded { outside: self.outside.clone(), ..read(layers, self.rows) }
    }
}

fn read(layers: Layers, rows: &'static [Provider]) -> Loaded {
    let mut report = Report::new(&layers);
    let document = Document::read(layers.root(), &Path::root(), &mut report);
    let document = document.or_else(Document::absent).map(|document| alternative::settle(document, &mut report));
    let found = report.finish();
    let document = document.expect("every section of a document may be absent");
    Loaded { document, found, rows, layers, outside: Vec::new() }
}
