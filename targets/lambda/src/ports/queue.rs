//! Records in an SQS queue, one message each, besides the line in the log.

use std::sync::Arc;

use edgeway_core::error::Result;
use serde_json::json;

use super::aws::{Aws, Endpoint, misconfigured};
use super::call::{Again, Answer, JsonService};

/// The variable that names the queue by its URL.
pub const VARIABLE: &str = "EDGEWAY_QUEUE_URL";

/// The queue.
pub struct Queue {
    service: JsonService,
    url: String,
}

impl Queue {
    /// The queue at that URL; the error says what is wrong with it.
    pub fn new(aws: Arc<Aws>, url: String, variable: &dyn Fn(&str) -> Option<String>) -> std::result::Result<Self, String> {
        let parsed: http::Uri = url.parse().map_err(|error| format!("{VARIABLE} is `{url}`, which is no URL: {error}"))?;
        let (Some(scheme), Some(host)) = (parsed.scheme_str(), parsed.authority()) else {
            return Err(format!("{VARIABLE} is `{url}`; it is the queue's URL, `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`"));
        };
        let named = aws.endpoint("sqs", variable);
        let endpoint = if named.given { named } else { Endpoint { url: format!("{scheme}://{host}"), given: true } };
        Ok(Self { service: JsonService { aws, endpoint, name: "sqs", target: "AmazonSQS" }, url })
    }

    /// Whether the queue is there and may be used. The error says what to do.
    pub async fn check(&self) -> Result<()> {
        self.ask("GetQueueAttributes", json!({"QueueUrl": self.url, "AttributeNames": ["QueueArn"]})).await
    }

    /// Sends one message.
    pub async fn send(&self, message: &str) -> Result<()> {
        self.ask("SendMessage", json!({"QueueUrl": self.url, "MessageBody": message})).await
    }

    async fn ask(&self, action: &str, body: serde_json::Value) -> Result<()> {
        match self.service.call(action, &body, Again::Safe).await? {
            Answer::Done(_) => Ok(()),
            Answer::Refused { code, message } => Err(misconfigured(format_args!(
                "the SQS queue {} ({VARIABLE}): {action}: {code}: {message}; create one with `aws sqs create-queue --queue-name edgeway` and \
                 allow the function's role sqs:SendMessage and sqs:GetQueueAttributes (template.yaml does both)",
                self.url
            ))),
        }
    }
}
