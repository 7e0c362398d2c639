//! A matrix file: one feature, at every door with every provider, whole and streamed.
//!
//! Each protocol writes the feature down once as a caller (`[door.x]`: what it sends, what it must get) and once as a provider
//! (`[provider.x]`: what it must be asked, what it answers), which makes nine pairs. What a pair cannot carry is said in
//! `[[differs]]`, so that nothing is lost in silence. A pair of one protocol with itself must pass bytes through unchanged.
//!
//! Invariant: a caller's expectation is the same for a streamed answer, which is added up strictly, as for a whole one.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json as value;

use super::cut::Cut;
use super::file::Then;
use super::sample::sample;
use super::{
    Body, CONFIG, Case, Request, Response, Turn, answer, bindings, caller_headers, json, never_returned, provider_headers,
};
use crate::json::merge;
use crate::protocol::Protocol;
use crate::script::{Asked, Exchange, Expected, Step};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What the feature is, as a sentence.
    about: String,
    /// Tables added to the default configuration.
    add_config: Option<String>,
    /// Whether the feature is tried whole and streamed.
    #[serde(default = "both")]
    streams: Vec<bool>,
    /// How streams are cut; one case each.
    #[serde(default = "framed")]
    cuts: Vec<Cut>,
    #[serde(default)]
    door: BTreeMap<Protocol, Door>,
    #[serde(default)]
    provider: BTreeMap<Protocol, Provider>,
    #[serde(default)]
    differs: Vec<Differs>,
    /// What the record includes, whatever the pair.
    record: Option<String>,
}

/// The feature as a caller sees it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Door {
    request: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    /// What the caller gets at least; the sample when absent.
    response: Option<String>,
    /// The stream's terminal error event.
    stream_error: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// The feature as a provider sees it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    model: Option<String>,
    /// What must be asked, exactly, without model and stream.
    request: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    response: Option<String>,
    /// The answer's events; the sample when absent.
    stream: Option<String>,
    #[serde(default)]
    then: Then,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// What is different for a pair.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Differs {
    door: Option<Protocol>,
    provider: Option<Protocol>,
    /// Why. Nobody accepts a difference without a reason.
    why: String,
    /// A merge patch on what the provider must be asked.
    request: Option<String>,
    /// A merge patch on what the caller must get.
    response: Option<String>,
    /// The same, only for a whole answer or only for a streamed one.
    whole: Option<String>,
    streamed: Option<String>,
    status: Option<u16>,
    warnings: Option<String>,
    /// The gateway refuses with a 400 whose sentence contains these; the provider is not asked.
    refused: Option<Vec<String>>,
    stream_error: Option<String>,
    record: Option<String>,
}

fn both() -> Vec<bool> {
    vec![false, true]
}

fn framed() -> Vec<Cut> {
    vec![Cut::Frames]
}

fn ok() -> u16 {
    200
}

/// The cases of a matrix file.
pub(super) fn expand(name: &str, text: &str) -> Result<Vec<Case>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.about.is_empty() {
        return Err("`about` says nothing".into());
    }
    if let Some(differs) = file.differs.iter().find(|differs| differs.why.is_empty()) {
        return Err(format!("a difference without a reason: {differs:?}"));
    }
    let mut cases = Vec::new();
    for &door in file.door.keys() {
        for &provider in file.provider.keys() {
            for &stream in &file.streams {
                let whole = [Cut::Whole];
                let cuts: &[Cut] = if stream { &file.cuts } else { &whole };
                for cut in cuts {
                    let pair = Pair { file: &file, door, provider, stream };
                    let mut variant = format!("{name}/{}_to_{}/{}", door.name(), provider.name(), pair.form());
                    if cuts.len() > 1 {
                        variant.push_str(&format!("/{}", cut.name()));
                    }
                    let turn = pair.turn(cut).map_err(|wrong| format!("{variant}: {wrong}"))?;
                    let config = format!("{CONFIG}\n{}", file.add_config.as_deref().unwrap_or(""));
                    cases.push(Case { name: variant, config, bindings: bindings(), targets: Vec::new(), turns: vec![turn] });
                }
            }
        }
    }
    Ok(cases)
}

struct Pair<'a> {
    file: &'a File,
    door: Protocol,
    provider: Protocol,
    stream: bool,
}

impl Pair<'_> {
    fn form(&self) -> &'static str {
        if self.stream { "streamed" } else { "whole" }
    }

    fn same(&self) -> bool {
        self.door == self.provider
    }

    fn differs(&self) -> impl Iterator<Item = &Differs> {
        self.file.differs.iter().filter(|differs| {
            differs.door.is_none_or(|door| door == self.door) && differs.provider.is_none_or(|provider| provider == self.provider)
        })
    }

    fn turn(&self, cut: &Cut) -> Result<Turn, String> {
        let door = &self.file.door[&self.door];
        let provider = &self.file.provider[&self.provider];
        let model = provider.model.as_deref().unwrap_or(self.provider.model());
        let asked_model = format!("{}/{model}", self.provider.name());
        let question = door.request.as_deref().unwrap_or(sample(self.door).request).trim_end();
        let mut headers = caller_headers(self.door);
        headers.extend(door.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        let request = Request {
            door: self.door,
            method: "POST".into(),
            path: self.door.door(&asked_model, self.stream),
            headers,
            body: self.door.request(question, &asked_model, self.stream).into_bytes(),
            raw: None,
            hang_up_after: None,
        };
        let refused = self.differs().find_map(|differs| differs.refused.as_ref());
        let upstream = match refused {
            Some(_) => Vec::new(),
            None => vec![self.exchange(provider, model, question, cut)?],
        };
        Ok(Turn { request, upstream, response: self.response(door, provider, refused)? })
    }

    fn exchange(&self, provider: &Provider, model: &str, question: &str, cut: &Cut) -> Result<Exchange, String> {
        let (headers, absent) = provider_headers(self.provider);
        let body = if self.same() {
            Expected::Bytes(self.door.request(question, model, self.stream).into_bytes())
        } else {
            let text = provider.request.as_deref().unwrap_or(sample(self.provider).asked);
            let mut wanted = json("the provider's request", &self.provider.request(text, model, self.stream))?;
            for patch in self.differs().filter_map(|differs| differs.request.as_ref()) {
                merge(&mut wanted, &json("differs.request", patch)?);
            }
            Expected::Equal(wanted)
        };
        let path = self.provider.provider_path(model, self.stream);
        let asked = Asked { protocol: self.provider, method: "POST", path, headers, absent, body };
        let sample = sample(self.provider);
        let streams = self.stream && provider.status < 300;
        let mut steps: Vec<_> = if streams {
            cut.chunks(provider.stream.as_deref().unwrap_or(sample.stream)).into_iter().map(Step::Chunk).collect()
        } else {
            vec![Step::Chunk(provider.response.as_deref().unwrap_or(sample.answer).as_bytes().to_vec())]
        };
        steps.extend(provider.then.step());
        let mut answer = answer(self.provider, provider.status, streams, steps);
        answer.headers.extend(provider.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        Ok(Exchange { asked, answer })
    }

    fn response(&self, door: &Door, provider: &Provider, refused: Option<&Vec<String>>) -> Result<Response, String> {
        let status = match refused {
            Some(_) => 400,
            None => self.differs().find_map(|differs| differs.status).unwrap_or(door.status),
        };
        let text = door.response.as_deref().unwrap_or(sample(self.door).response);
        let mut wanted = json("the caller's response", text)?;
        for differs in self.differs() {
            let form = if self.stream { &differs.streamed } else { &differs.whole };
            for patch in [&differs.response, form].into_iter().flatten() {
                merge(&mut wanted, &json("differs.response", patch)?);
            }
        }
        // One protocol with itself: what the provider said is what the caller gets, byte for byte.
        let unchanged = self.same() && refused.is_none();
        let stream_error = self.differs().find_map(|differs| differs.stream_error.as_ref()).or(door.stream_error.as_ref());
        let body = if let Some(says) = refused {
            Body::Error(says.clone(), Expected::Any)
        } else if status >= 400 {
            let expected = if unchanged { bytes(provider, self.provider) } else { Expected::Includes(wanted) };
            Body::Error(Vec::new(), expected)
        } else if self.stream {
            let error = stream_error.map(|text| json("stream_error", text)).transpose()?;
            let stream = provider.stream.as_deref().unwrap_or(sample(self.provider).stream);
            let exact = unchanged && error.is_none() && self.file.cuts == [Cut::Frames];
            Body::Stream {
                array: false,
                whole: wanted,
                ended: error.is_none(),
                error,
                bytes: exact.then(|| stream.as_bytes().to_vec()),
            }
        } else if unchanged {
            Body::Whole(bytes(provider, self.provider))
        } else {
            Body::Whole(Expected::Includes(wanted))
        };
        let failed = matches!(&body, Body::Stream { error: Some(_), .. });
        let outcome = if status >= 400 {
            "refused"
        } else if failed {
            "truncated"
        } else {
            "complete"
        };
        let mut record = value!({"status": status, "outcome": outcome});
        record["stream"] = if self.stream { true.into() } else { "{{absent}}".into() };
        for patch in self.file.record.iter().chain(self.differs().filter_map(|differs| differs.record.as_ref())) {
            merge(&mut record, &json("record", patch)?);
        }
        let warnings: Vec<_> = self.differs().filter_map(|differs| differs.warnings.as_deref()).collect();
        Ok(Response { status, headers: Vec::new(), absent: never_returned(), warnings: Some(warnings.join(", ")), body, record })
    }
}

/// What a provider answers, unchanged.
fn bytes(provider: &Provider, protocol: Protocol) -> Expected {
    Expected::Bytes(provider.response.as_deref().unwrap_or(sample(protocol).answer).as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_makes_nine_pairs_twice() {
        let text = "about = 'x'\n[door.openai]\n[door.anthropic]\n[door.gemini]\n[provider.openai]\n[provider.anthropic]\n[provider.gemini]\n";
        let cases = expand("matrix/x", text).unwrap();
        assert_eq!(cases.len(), 18);
        assert!(matches!(&cases[0].turns[0].upstream[0].asked.body, Expected::Bytes(_)), "{}", cases[0].name);
    }

    #[test]
    fn a_difference_changes_one_pair() {
        let text = "about = 'x'\nstreams = [false]\n[door.openai]\n[provider.openai]\n[provider.gemini]\n\
                    [[differs]]\nprovider = 'gemini'\nwhy = 'y'\nrefused = ['n']\n";
        let cases = expand("matrix/x", text).unwrap();
        let statuses: Vec<_> = cases.iter().map(|case| (case.turns[0].response.status, case.turns[0].upstream.len())).collect();
        assert_eq!(statuses, [(200, 1), (400, 0)]);
        assert!(expand("matrix/x", &text.replace("'y'", "''")).is_err(), "no reason");
    }
}
