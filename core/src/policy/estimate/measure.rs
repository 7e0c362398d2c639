//! One pass over a request of any chat protocol: how much of it is text, and what else is in it.
//!
//! Media is looked for exactly where the protocols read it: in the parts of messages, of tool results and of documents. The
//! same fields elsewhere (in a tool's arguments, say) are text to a model, and count as text. Protocols name their fields
//! differently enough for one reader.
//!
//! Invariant: a byte is left out of the text only when it belongs to media that is counted otherwise.

use std::borrow::Cow;

use crate::order;
use crate::ports::TokenCounter;
use crate::wire::json_string::unescape;

/// What is in a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measure<'a> {
    /// Bytes that are not media.
    pub text_bytes: u64,
    /// Images.
    pub images: u64,
    /// Most tokens of the sound whose length can be told.
    pub sound_tokens: u64,
    /// Whether there is something whose size cannot be told from the request.
    pub untold: bool,
    /// Whether there are tools.
    pub tools: bool,
    /// Whether there is sound in it.
    pub sound_input: bool,
    /// Whether sound is asked for.
    pub sound_output: bool,
    /// Whether something may be cached for an hour.
    pub cached_for_an_hour: bool,
    /// Most tokens that an answer may have, by the request.
    pub asked: Option<u64>,
    /// How many answers are wanted; at least 1.
    pub answers: u64,
    /// What of the body is not media.
    text: Vec<&'a [u8]>,
}

/// Base64 characters of one token: 8,000 bytes a second in a WAV file, 1,000 in an MP3 file; 32 tokens a second.
const WAV: u64 = 333;
const MP3: u64 = 41;

/// Deeper than any part is.
const DEEPEST: usize = 64;

/// Measures the body of a request, JSON that [`peek`](crate::wire::envelope::peek) took. Anything else is text from end to end.
pub fn measure(body: &[u8]) -> Measure<'_> {
    let mut measure = Measure { answers: 1, ..Measure::default() };
    measure.cached_for_an_hour = memchr::memmem::find(body, b"\"1h\"").is_some();
    let mut walk = Walk { body, at: 0, out: measure, media: Vec::new() };
    walk.object(|walk, key| walk.root(key));
    let Walk { mut out, mut media, .. } = walk;
    order::sort_by_key(&mut media, |span| span.0);
    let mut from = 0;
    for (start, end) in media {
        out.text.push(&body[from..start]);
        from = end;
    }
    out.text.push(&body[from..]);
    out.text_bytes = out.text.iter().map(|run| run.len() as u64).sum();
    out
}

impl Measure<'_> {
    /// How many tokens the text has, if `counter` knows the model.
    pub(super) fn count(&self, counter: &dyn TokenCounter, model: &str) -> Option<u64> {
        self.text.iter().try_fold(0_u64, |sum, run| {
            // Runs end at the quotes of media, never inside a character.
            Some(sum.saturating_add(counter.count(model, std::str::from_utf8(run).ok()?)?))
        })
    }
}

/// A string's place in the body, without its quotes.
type Span = (usize, usize);

struct Walk<'a> {
    body: &'a [u8],
    at: usize,
    out: Measure<'a>,
    /// What is not text.
    media: Vec<Span>,
}

/// What the fields of one part, or of an object inside of it, said.
#[derive(Default)]
struct Part<'a> {
    kind: Cow<'a, [u8]>,
    source: Cow<'a, [u8]>,
    media_type: Cow<'a, [u8]>,
    data: Option<Span>,
    referred: bool,
}

impl<'a> Walk<'a> {
    fn root(&mut self, key: &[u8]) {
        match key {
            b"messages" | b"contents" => self.each(|walk| walk.object(|walk, key| walk.message(key))),
            b"max_tokens" | b"max_completion_tokens" | b"max_output_tokens" => self.asked(),
            b"n" => self.answers(),
            b"generationConfig" | b"generation_config" => self.object(|walk, key| match key {
                b"maxOutputTokens" | b"max_output_tokens" => walk.asked(),
                b"candidateCount" | b"candidate_count" => walk.answers(),
                b"responseModalities" | b"response_modalities" => walk.modalities(),
                _ => walk.skip(),
            }),
            b"modalities" => self.modalities(),
            b"tools" | b"functions" => {
                self.out.tools |= !self.here(b"null");
                self.skip();
            }
            b"cachedContent" | b"cached_content" | b"previous_response_id" | b"conversation" => {
                self.out.untold |= !self.here(b"null");
                self.skip();
            }
            _ => self.skip(),
        }
    }

    fn message(&mut self, key: &[u8]) {
        match key {
            b"content" | b"parts" => self.parts(0),
            // The sound of an earlier answer, kept at OpenAI.
            b"audio" => {
                self.out.untold |= !self.here(b"null");
                self.skip();
            }
            _ => self.skip(),
        }
    }

    fn parts(&mut self, depth: usize) {
        if depth > DEEPEST {
            self.out.untold = true;
            return self.skip();
        }
        self.each(|walk| walk.part(depth));
    }

    fn part(&mut self, depth: usize) {
        let mut part = Part::default();
        self.object_of(&mut part, |walk, part, key| match key {
            b"type" => part.kind = walk.text(),
            b"image_url" => walk.picture(),
            b"input_audio" => walk.sound(),
            b"file" | b"video_url" | b"audio_url" | b"video" => {
                walk.out.untold = true;
                walk.out.sound_input = true;
                walk.skip();
            }
            b"fileData" | b"file_data" => {
                walk.out.sound_input = true;
                walk.data(part, depth);
                part.referred = true;
            }
            b"source" | b"inlineData" | b"inline_data" => walk.data(part, depth),
            // A tool's result.
            b"content" => walk.parts(depth + 1),
            b"functionResponse" | b"function_response" => walk.object(|walk, key| match key {
                b"parts" => walk.parts(depth + 1),
                _ => walk.skip(),
            }),
            b"file_id" => part.referred = true,
            _ => walk.skip(),
        });
        self.judge(&part);
    }

    /// Anthropic's `source`, Gemini's `inlineData` and `fileData`.
    fn data(&mut self, part: &mut Part<'a>, depth: usize) {
        self.object_of(part, |walk, part, key| match key {
            b"type" => part.source = walk.text(),
            b"media_type" | b"mimeType" | b"mime_type" => part.media_type = walk.text(),
            b"data" => part.data = walk.string(),
            b"url" | b"file_id" | b"fileUri" | b"file_uri" => {
                part.referred = true;
                walk.skip();
            }
            b"content" => walk.parts(depth + 1),
            _ => walk.skip(),
        });
    }

    /// What a part is, once all of its fields are known.
    fn judge(&mut self, part: &Part<'_>) {
        let is = |kind: &str| part.media_type.starts_with(kind.as_bytes());
        if part.referred && (is("image/") || &*part.kind == b"image") {
            self.out.images += 1;
        } else if part.referred {
            self.out.untold = true;
        }
        let Some(data) = part.data else { return };
        if &*part.source == b"text" || is("text/") || is("application/json") {
            // Text to the model as well; base64 of text is longer than the text.
        } else if is("image/") {
            self.out.images += 1;
            self.media.push(data);
        } else if is("audio/") {
            self.heard(data);
        } else {
            self.out.sound_input = true;
            self.out.untold = true;
            self.media.push(data);
        }
    }

    /// OpenAI's `image_url`: an object, or with some servers a string.
    fn picture(&mut self) {
        self.out.images += 1;
        let seen = |walk: &mut Self| {
            if let Some((start, end)) = walk.string()
                && walk.body[start..end].starts_with(b"data:image/")
            {
                walk.media.push((start, end));
            }
        };
        match self.body.get(self.at) {
            Some(b'{') => self.object(|walk, key| if key == b"url" { seen(walk) } else { walk.skip() }),
            _ => seen(self),
        }
    }

    /// OpenAI's `input_audio`.
    fn sound(&mut self) {
        self.out.sound_input = true;
        self.object(|walk, key| match key {
            b"data" => {
                if let Some(data) = walk.string() {
                    walk.heard(data);
                }
            }
            _ => walk.skip(),
        });
    }

    /// Sound in base64. Its first bytes say what it is, whatever it is called.
    fn heard(&mut self, data: Span) {
        self.out.sound_input = true;
        let (start, end) = data;
        let (base64, len) = (&self.body[start..end], (end - start) as u64);
        let a_token = if base64.starts_with(b"UklGR") {
            WAV
        } else if base64.starts_with(b"SUQz") || base64.starts_with(b"//") {
            MP3
        } else {
            1
        };
        self.out.untold |= base64.starts_with(b"ZkxhQ");
        self.out.sound_tokens = self.out.sound_tokens.saturating_add(len.div_ceil(a_token));
        self.media.push(data);
    }

    fn modalities(&mut self) {
        self.array(|walk| {
            let sound = walk.text().eq_ignore_ascii_case(b"audio");
            walk.out.sound_output |= sound;
        });
    }

    fn asked(&mut self) {
        let asked = self.number();
        self.out.asked = self.out.asked.max(asked);
    }

    fn answers(&mut self) {
        let answers = self.number().unwrap_or(1);
        self.out.answers = self.out.answers.max(answers);
    }
}

/// JSON that is known to be sound. Where it is not, nothing is found, and nothing panics.
impl<'a> Walk<'a> {
    fn here(&self, word: &[u8]) -> bool {
        self.body.get(self.at..).is_some_and(|rest| rest.starts_with(word))
    }

    fn space(&mut self) {
        while matches!(self.body.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// The members of an object; `member` reads the value.
    fn object(&mut self, mut member: impl FnMut(&mut Self, &[u8])) {
        self.object_of(&mut (), |walk, (), key| member(walk, key));
    }

    fn object_of<T>(&mut self, into: &mut T, mut member: impl FnMut(&mut Self, &mut T, &[u8])) {
        self.space();
        if self.body.get(self.at) != Some(&b'{') {
            return self.skip();
        }
        self.at += 1;
        loop {
            self.space();
            match self.body.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'"') => {
                    let key = self.text();
                    self.space();
                    self.at += usize::from(self.here(b":"));
                    self.space();
                    let before = self.at;
                    member(self, into, &key);
                    if self.at == before {
                        return self.at = self.body.len();
                    }
                }
                Some(b'}') => return self.at += 1,
                _ => return self.at = self.body.len(),
            }
        }
    }

    /// The items of an array, or the one object that stands for it; anything else is skipped.
    fn each(&mut self, mut item: impl FnMut(&mut Self)) {
        match self.body.get(self.at) {
            Some(b'{') => item(self),
            _ => self.array(item),
        }
    }

    /// The items of an array; anything else is skipped.
    fn array(&mut self, mut item: impl FnMut(&mut Self)) {
        if self.body.get(self.at) != Some(&b'[') {
            return self.skip();
        }
        self.at += 1;
        loop {
            self.space();
            match self.body.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b']') => return self.at += 1,
                Some(_) => {
                    let before = self.at;
                    item(self);
                    if self.at == before {
                        return self.at = self.body.len();
                    }
                }
                None => return,
            }
        }
    }

    /// The string here, unescaped; nothing when something else is here, which is skipped.
    fn text(&mut self) -> Cow<'a, [u8]> {
        let body = self.body;
        self.string().map_or_else(Cow::default, |(start, end)| unescape(&body[start..end]))
    }

    /// Where the string here is, without its quotes; anything else is skipped.
    fn string(&mut self) -> Option<Span> {
        if self.body.get(self.at) != Some(&b'"') {
            self.skip();
            return None;
        }
        let start = self.at + 1;
        self.skip();
        Some((start, self.at.saturating_sub(1).max(start)))
    }

    /// A whole number; anything else is skipped. A fraction or an exponent is the provider's to refuse: it counts as the most.
    fn number(&mut self) -> Option<u64> {
        let start = self.at;
        self.skip();
        let text = std::str::from_utf8(&self.body[start..self.at]).ok()?;
        match text.parse::<f64>() {
            Ok(number) if number >= 0.0 => Some(text.parse().unwrap_or(number.ceil() as u64)),
            _ => None,
        }
    }

    /// Goes behind the value here.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.body.get(self.at) {
                Some(b'"') => self.quoted(),
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') if depth == 0 => return,
                Some(b'}' | b']') => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b':' | b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(_) => self.word(),
                None => return,
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn quoted(&mut self) {
        self.at += 1;
        while let Some(offset) = self.body.get(self.at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
            self.at += offset;
            if self.body[self.at] == b'"' {
                return self.at += 1;
            }
            self.at += 2;
        }
        self.at = self.body.len();
    }

    fn word(&mut self) {
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'{' | b'[' | b':');
        let rest = &self.body[self.at.min(self.body.len())..];
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests;
