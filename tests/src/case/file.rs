//! A case file: one situation. See `tests/README.md` for a guide by example.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json as value};

use super::cut::Cut;
use super::sample::sample;
use super::{
    Body, CONFIG, Case, Request, Response, Turn, answer, bindings, caller_headers, json, never_returned, provider_headers,
};
use crate::protocol::Protocol;
use crate::script::{Asked, Exchange, Expected, Step};

/// A case file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What it shows, as a sentence.
    about: String,
    /// The whole configuration document.
    config: Option<String>,
    /// Tables added to the default configuration.
    add_config: Option<String>,
    /// Bindings added to the keys.
    #[serde(default)]
    bindings: BTreeMap<String, String>,
    /// The only targets that can run it.
    #[serde(default)]
    targets: Vec<String>,
    /// At which doors; one case each.
    #[serde(default = "openai_only")]
    doors: Vec<Protocol>,
    /// Whether the answer is streamed; one case each.
    #[serde(default = "not_streamed")]
    streams: Vec<bool>,
    /// How streams are cut; one case each.
    #[serde(default = "framed")]
    cuts: Vec<Cut>,
    #[serde(default)]
    request: RequestFile,
    #[serde(default)]
    upstream: Vec<UpstreamFile>,
    #[serde(default)]
    response: ResponseFile,
    /// Further requests on the same gateway.
    #[serde(default)]
    then: Vec<TurnFile>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnFile {
    #[serde(default)]
    request: RequestFile,
    #[serde(default)]
    upstream: Vec<UpstreamFile>,
    #[serde(default)]
    response: ResponseFile,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestFile {
    /// The model asked for; that of the first provider when absent.
    model: Option<String>,
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Headers left out.
    #[serde(default)]
    without: Vec<String>,
    /// The body without model and stream, which are added; the sample when absent.
    body: Option<String>,
    /// The body at one door.
    #[serde(default)]
    bodies: BTreeMap<String, String>,
    /// The body as it is; nothing is added.
    exact: Option<String>,
    /// A body that is made: see [`Made`].
    made: Option<Made>,
    /// The whole request, as bytes on the socket; lines end in `\r\n`.
    raw: Option<String>,
    hang_up_after: Option<usize>,
}

/// Bodies that are easier described than written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Made {
    /// JSON nested this deep, in the field `metadata`.
    Nested(usize),
    /// A valid question of about this many bytes.
    Padded(usize),
    /// These bytes, in hexadecimal.
    Hex(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpstreamFile {
    #[serde(default = "openai")]
    speaks: Protocol,
    /// Not a provider, but an issuer of tokens: asked with GET for what it publishes, and shown nothing of anybody's.
    #[serde(default)]
    issuer: bool,
    /// The model that must be asked for.
    model: Option<String>,
    /// The path, when it is not that of the protocol's chat.
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    absent: Vec<String>,
    /// Headers that are usual but not expected here.
    #[serde(default)]
    without: Vec<String>,
    asked: Option<String>,
    asked_includes: Option<String>,
    asked_bytes: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    answer_headers: BTreeMap<String, String>,
    /// The answer, whole or streamed; the sample when absent.
    answer: Option<String>,
    stream: Option<String>,
    cut: Option<Cut>,
    #[serde(default)]
    then: Then,
}

/// What follows an answer's last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Then {
    /// Its proper end.
    #[default]
    End,
    /// A reset.
    Reset,
    /// A closed connection, without the body's end.
    HangUp,
    /// Nothing.
    Stall,
}

impl Then {
    pub(super) fn step(self) -> Option<Step> {
        match self {
            Self::End => None,
            Self::Reset => Some(Step::Reset),
            Self::HangUp => Some(Step::HangUp),
            Self::Stall => Some(Step::Stall),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseFile {
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    absent: Vec<String>,
    /// Exactly this JSON.
    equal: Option<String>,
    /// At least this JSON, whole or added up.
    includes: Option<String>,
    /// At least this JSON, at one door.
    #[serde(default)]
    at: BTreeMap<String, String>,
    bytes: Option<String>,
    /// An error in the caller's protocol; its sentence contains these.
    error: Option<Vec<String>>,
    /// A stream ends in an error event that includes this; `{}` for any.
    stream_error: Option<String>,
    /// Whether the answer is a stream when the request asked for one.
    streamed: Option<bool>,
    /// Whether the stream must reach its protocol's end; it must unless an error is expected.
    ended: Option<bool>,
    /// Whether the stream is one JSON array (Gemini without `alt=sse`).
    #[serde(default)]
    array: bool,
    /// Anything goes (a caller that hangs up does not see the end).
    #[serde(default)]
    any: bool,
    warnings: Option<String>,
    record: Option<String>,
}

fn openai() -> Protocol {
    Protocol::Openai
}

fn openai_only() -> Vec<Protocol> {
    vec![Protocol::Openai]
}

fn not_streamed() -> Vec<bool> {
    vec![false]
}

fn framed() -> Vec<Cut> {
    vec![Cut::Frames]
}

fn ok() -> u16 {
    200
}

/// The cases of a file.
pub(super) fn expand(name: &str, text: &str) -> Result<Vec<Case>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.about.is_empty() {
        return Err("`about` says nothing".into());
    }
    let config = match (&file.config, &file.add_config) {
        (Some(config), None) => config.clone(),
        (None, more) => format!("{CONFIG}\n{}", more.as_deref().unwrap_or("")),
        (Some(_), Some(_)) => return Err("`config` and `add_config` exclude each other".into()),
    };
    let mut cases = Vec::new();
    let objects = text.contains(OBJECT);
    for &door in &file.doors {
        for &stream in &file.streams {
            for cut in &file.cuts {
                let mut variant = name.to_owned();
                if file.doors.len() > 1 {
                    variant.push_str(&format!("/{}", door.name()));
                }
                if file.streams.len() > 1 {
                    variant.push_str(if stream { "/streamed" } else { "/whole" });
                }
                if file.cuts.len() > 1 {
                    variant.push_str(&format!("/{}", cut.name()));
                }
                // A gateway that is kept for the next variant still has the objects of the last.
                let own: File = match objects {
                    true => toml::from_str(&text.replace(OBJECT, &object(&variant))).map_err(|error| error.to_string())?,
                    false => file.clone(),
                };
                let turns = own.turns().iter().map(|turn| turn.at(door, stream, cut)).collect::<Result<_, String>>()?;
                let more = file.bindings.iter().map(|(name, value)| (name.clone(), value.clone()));
                let bindings = bindings().into_iter().chain(more).collect();
                cases.push(Case { name: variant, config: config.clone(), bindings, targets: file.targets.clone(), turns });
            }
        }
    }
    Ok(cases)
}

/// Stands for a name that is this variant's alone, where a case makes objects.
const OBJECT: &str = "{{object}}";

fn object(variant: &str) -> String {
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    variant.chars().map(plain).collect()
}

impl File {
    fn turns(&self) -> Vec<TurnFile> {
        let first = TurnFile { request: self.request.clone(), upstream: self.upstream.clone(), response: self.response.clone() };
        std::iter::once(first).chain(self.then.iter().cloned()).collect()
    }
}

impl TurnFile {
    fn at(&self, door: Protocol, stream: bool, cut: &Cut) -> Result<Turn, String> {
        let provider = self.upstream.first().map_or(door, |upstream| upstream.speaks);
        let default_model = format!("{}/{}", provider.name(), provider.model());
        let model = self.request.model.as_deref().unwrap_or(&default_model);
        Ok(Turn {
            request: self.request.at(door, model, stream)?,
            upstream: self.upstream.iter().map(|upstream| upstream.at(stream, cut)).collect::<Result<_, _>>()?,
            response: self.response.at(door, stream)?,
        })
    }
}

impl RequestFile {
    fn at(&self, door: Protocol, model: &str, stream: bool) -> Result<Request, String> {
        let mut headers: Vec<_> = caller_headers(door)
            .into_iter()
            .filter(|(name, _)| !self.without.contains(name) && !self.headers.contains_key(name))
            .collect();
        headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        let method = self.method.clone().unwrap_or_else(|| "POST".into());
        let text = self.bodies.get(door.name()).or(self.body.as_ref()).map_or(sample(door).request, String::as_str);
        let body = match (&self.exact, &self.made) {
            (Some(exact), None) => exact.clone().into_bytes(),
            (None, Some(made)) => made.bytes(door, model)?,
            (None, None) if method == "POST" => door.request(text.trim_end(), model, stream).into_bytes(),
            (None, None) => Vec::new(),
            (Some(_), Some(_)) => return Err("`exact` and `made` exclude each other".into()),
        };
        Ok(Request {
            door,
            method,
            path: self.path.clone().unwrap_or_else(|| door.door(model, stream)),
            headers,
            body,
            raw: self.raw.clone().map(String::into_bytes),
            hang_up_after: self.hang_up_after,
        })
    }
}

impl Made {
    fn bytes(&self, door: Protocol, model: &str) -> Result<Vec<u8>, String> {
        let with = |field: &str| {
            let sample = sample(door).request.trim_end();
            let inside = sample.strip_prefix('{').unwrap_or(sample);
            door.request(&format!("{{{field}, {inside}"), model, false).into_bytes()
        };
        match self {
            Self::Nested(depth) => Ok(with(&format!("\"metadata\": {}{}", "[".repeat(*depth), "]".repeat(*depth)))),
            Self::Padded(size) => Ok(with(&format!("\"padding\": \"{}\"", "x".repeat(*size)))),
            Self::Hex(digits) => (0..digits.len() / 2)
                .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).map_err(|error| format!("`hex`: {error}")))
                .collect(),
        }
    }
}

impl UpstreamFile {
    fn at(&self, stream: bool, cut: &Cut) -> Result<Exchange, String> {
        let model = self.model.as_deref().unwrap_or(self.speaks.model());
        let (mut headers, mut absent) = provider_headers(self.speaks);
        headers.retain(|(name, _)| !self.without.contains(name) && !self.headers.contains_key(name));
        absent.retain(|name| !self.without.contains(name) && !self.headers.contains_key(name));
        headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        absent.extend(self.absent.iter().cloned());
        let body = match (&self.asked, &self.asked_includes, &self.asked_bytes) {
            (Some(equal), None, None) => Expected::Equal(json("asked", equal)?),
            (None, Some(includes), None) => Expected::Includes(json("asked_includes", includes)?),
            (None, None, Some(bytes)) => Expected::Bytes(bytes.as_bytes().to_vec()),
            (None, None, None) => Expected::Any,
            _ => return Err("only one of `asked`, `asked_includes` and `asked_bytes` can hold".into()),
        };
        if self.issuer {
            let nobodys = caller_headers(self.speaks).into_iter().chain(headers).map(|(name, _)| name);
            absent.extend(nobodys);
            headers = vec![("accept".to_owned(), "application/json".to_owned())];
        }
        let method = if self.issuer { "GET" } else { "POST" };
        let body = if self.issuer { Expected::Bytes(Vec::new()) } else { body };
        let path = self.path.clone().unwrap_or_else(|| self.speaks.provider_path(model, stream));
        let sample = sample(self.speaks);
        let streamed = self.answer.is_none() && (self.stream.is_some() || stream);
        let cut = self.cut.as_ref().unwrap_or(cut);
        let chunks = match (&self.answer, &self.stream) {
            (Some(answer), _) => vec![answer.as_bytes().to_vec()],
            (None, Some(stream)) => cut.chunks(stream),
            (None, None) if stream => cut.chunks(sample.stream),
            (None, None) => vec![sample.answer.as_bytes().to_vec()],
        };
        let mut steps: Vec<_> = chunks.into_iter().filter(|chunk| !chunk.is_empty()).map(Step::Chunk).collect();
        steps.extend(self.then.step());
        let mut answer = answer(self.speaks, self.status, streamed, steps);
        answer.headers.retain(|(name, _)| !self.answer_headers.contains_key(name));
        answer.headers.extend(self.answer_headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        answer.headers.retain(|(_, value)| !value.is_empty());
        Ok(Exchange { asked: Asked { protocol: self.speaks, method, path, headers, absent, body }, answer })
    }
}

impl ResponseFile {
    fn at(&self, door: Protocol, stream: bool) -> Result<Response, String> {
        let streamed = self.streamed.unwrap_or(stream) && self.error.is_none();
        let status = match self.status {
            Some(status) => status,
            None if self.error.is_some() => return Err("an error needs its status".into()),
            None => 200,
        };
        let here = self.at.get(door.name()).or(self.includes.as_ref());
        let includes = here.map(|text| json("includes", text)).transpose()?;
        let body = if self.any {
            Body::Whole(Expected::Any)
        } else if let Some(says) = &self.error {
            Body::Error(says.clone(), includes.map_or(Expected::Any, Expected::Includes))
        } else if streamed {
            let sample = json("sample", sample(door).response)?;
            let error = self.stream_error.as_ref().map(|text| json("stream_error", text)).transpose()?;
            Body::Stream {
                array: self.array,
                whole: includes.unwrap_or(if error.is_some() { value!({}) } else { sample }),
                ended: self.ended.unwrap_or(error.is_none()),
                error,
                bytes: self.bytes.as_ref().map(|text| text.as_bytes().to_vec()),
            }
        } else {
            let sample = || json("sample", sample(door).response).map(Expected::Includes);
            Body::Whole(match (&self.equal, &self.bytes, includes) {
                (Some(equal), None, None) => Expected::Equal(json("equal", equal)?),
                (None, Some(bytes), None) => Expected::Bytes(bytes.as_bytes().to_vec()),
                (None, None, Some(includes)) => Expected::Includes(includes),
                (None, None, None) => sample()?,
                _ => return Err("only one of `equal`, `includes` and `bytes` can hold".into()),
            })
        };
        let record = match &self.record {
            Some(text) => json("record", text)?,
            None if self.any => value!({}),
            None => value!({"status": status, "outcome": if status < 400 { "complete" } else { "refused" }}),
        };
        Ok(Response {
            status,
            headers: self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            absent: never_returned().into_iter().chain(self.absent.iter().cloned()).collect(),
            warnings: Some(self.warnings.clone().unwrap_or_default()),
            body,
            record,
        })
    }
}

/// The value at a JSON pointer of an earlier answer, for `"{{turn 1: /choices/0/message}}"` in a later request's body.
pub fn fill(text: &str, answers: &[Value]) -> Result<String, String> {
    filled(text, ("\"{{turn ", "}}\""), answers, Value::to_string)
}

/// The text at a JSON pointer of an earlier answer, for `{{turn 1: /id}}` in a later request's path or headers.
pub fn fill_text(text: &str, answers: &[Value]) -> Result<String, String> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    filled(text, ("{{turn ", "}}"), answers, plain)
}

fn filled(text: &str, (begin, end): (&str, &str), answers: &[Value], write: impl Fn(&Value) -> String) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once(begin) {
        let (inside, after) = tail.split_once(end).ok_or("`{{turn` without `}}`")?;
        let (number, pointer) = inside.split_once(':').ok_or("`{{turn` without `:`")?;
        let number: usize = number.trim().parse().map_err(|_| format!("`{number}` is no turn's number"))?;
        let answer =
            number.checked_sub(1).and_then(|at| answers.get(at)).ok_or(format!("there is no answer of turn {number}"))?;
        let value = answer.pointer(pointer.trim()).ok_or(format!("the answer of turn {number} has no {pointer}: {answer}"))?;
        out.push_str(before);
        out.push_str(&write(value));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_expands_over_doors_and_streams() {
        let cases = expand(
            "a/b",
            "about = 'x'\ndoors = ['openai', 'gemini']\nstreams = [false, true]\n[[upstream]]\nspeaks = 'gemini'\n",
        )
        .unwrap();
        let names: Vec<_> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["a/b/openai/whole", "a/b/openai/streamed", "a/b/gemini/whole", "a/b/gemini/streamed"]);
        assert!(String::from_utf8_lossy(&cases[0].turns[0].request.body).contains("gemini/gemini-2.5-flash"));
    }

    #[test]
    fn each_variant_has_objects_of_its_own() {
        let cases = expand("a/b", "about = 'x'\ndoors = ['openai', 'gemini']\n[request]\npath = '/{{object}}'\n").unwrap();
        let paths: Vec<_> = cases.iter().map(|case| case.turns[0].request.path.as_str()).collect();
        assert_eq!(paths, ["/a-b-openai", "/a-b-gemini"]);
    }

    #[test]
    fn a_typing_error_is_refused() {
        assert!(expand("a", "about = 'x'\n[response]\nstatsu = 1\n").is_err());
        assert!(expand("a", "about = 'x'\n[response]\nerror = ['y']\n").is_err());
    }

    #[test]
    fn values_of_earlier_answers_are_filled_in() {
        let answers = [value!({"a": [{"b": "c"}]})];
        assert_eq!(
            fill(r#"{"x": "{{turn 1: /a/0}}", "y": "{{turn 1:/a/0/b}}"}"#, &answers).unwrap(),
            r#"{"x": {"b":"c"}, "y": "c"}"#
        );
        assert_eq!(fill_text("Bearer {{turn 1: /a/0/b}}!", &answers).unwrap(), "Bearer c!");
        assert!(fill(r#""{{turn 2: /a}}""#, &answers).is_err());
        assert!(fill(r#""{{turn 1: /z}}""#, &answers).is_err());
    }
}
