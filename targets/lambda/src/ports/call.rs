//! AWS's JSON protocol (1.0): an action in a header, an object in, an object out. DynamoDB and SQS speak it.

use std::sync::Arc;

use bytes::Bytes;
use edgeway_core::error::Result;
use edgeway_core::wire::sigv4::Form;
use http::{Request, header};
use serde_json::Value;

use super::aws::{Aws, Endpoint, away, misconfigured};

/// Longest answer that is read: DynamoDB's pages are 1 MB before their encoding.
const MOST: usize = 16 << 20;

/// A service.
pub(super) struct JsonService {
    pub(super) aws: Arc<Aws>,
    pub(super) endpoint: Endpoint,
    /// Its signing name.
    pub(super) name: &'static str,
    /// What its actions are called behind.
    pub(super) target: &'static str,
}

/// When a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Whatever went wrong: doing it twice is doing it once.
    Safe,
    /// Only when the service says that it did nothing.
    Refused,
}

/// What a service answers.
pub(super) enum Answer {
    /// It did what was asked.
    Done(Value),
    /// It did not, and says why in a word and a sentence.
    Refused {
        /// The error's name, `ConditionalCheckFailedException`.
        code: String,
        /// The error's sentence.
        message: String,
    },
}

impl JsonService {
    /// Asks. An error says that nobody knows whether it was done.
    pub(super) async fn call(&self, action: &str, body: &Value, again: Again) -> Result<Answer> {
        let bytes = Bytes::from(body.to_string());
        for attempt in 1.. {
            let failed = match self.once(action, bytes.clone()).await {
                Ok((status, answer)) => match read(status, answer) {
                    Answer::Refused { code, message } if is_busy(&code) || status >= 500 => {
                        let nothing_done = is_busy(&code);
                        if (nothing_done || again == Again::Safe) && self.aws.pause(attempt).await {
                            continue;
                        }
                        away(self.name, format_args!("{action}: {code} ({status}): {message}"))
                    }
                    answer => return Ok(answer),
                },
                Err(error) => {
                    if again == Again::Safe && self.aws.pause(attempt).await {
                        continue;
                    }
                    error
                }
            };
            return Err(failed);
        }
        unreachable!("attempts end, and the last one returns")
    }

    async fn once(&self, action: &str, body: Bytes) -> Result<(u16, Bytes)> {
        let request = Request::post(format!("{}/", self.endpoint.url))
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-target", format!("{}.{action}", self.target))
            .body(body)
            .map_err(|error| misconfigured(format_args!("the endpoint {}: {error}", self.endpoint.url)))?;
        let response = self.aws.send(request, self.name, Form::Standard).await?;
        let status = response.status().as_u16();
        let answer = response.into_body().collect(MOST).await;
        Ok((status, answer.map_err(|error| away(self.name, error.source.as_deref().unwrap_or(&error.message)))?))
    }
}

fn read(status: u16, answer: Bytes) -> Answer {
    let value: Value = serde_json::from_slice(&answer).unwrap_or_default();
    if status == 200 {
        return Answer::Done(value);
    }
    let kind = value["__type"].as_str().unwrap_or("UnknownError");
    let message = value["message"].as_str().or_else(|| value["Message"].as_str()).unwrap_or_default();
    Answer::Refused { code: kind.rsplit('#').next().unwrap_or(kind).to_owned(), message: message.to_owned() }
}

/// Whether a service says that it has no time now, and did nothing.
fn is_busy(code: &str) -> bool {
    ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled"].contains(&code)
}
