//! One DynamoDB table for everything that the gateway keeps.
//!
//! | what | `pk` | `sk` | attributes |
//! |---|---|---|---|
//! | a value | `kv` | its key | `v` bytes; `x` expiry; `n`, `g` how many parts follow, of which writing |
//! | a part of a large value | `part` | key, writing, number | `v` bytes |
//! | a cell | `cell#` and its name | `-` | `s` state; `n` version; `x` expiry |
//!
//! `x` is in microseconds and is what reads go by; `ttl` is the same in seconds, an hour later, for DynamoDB's own cleaning.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use edgeway_core::error::{Error, Result};
use edgeway_core::ports::Timestamp;
use serde_json::{Map, Value, json};

use super::aws::{Aws, misconfigured};
use super::call::{Again, Answer, JsonService};

/// The variable that names the table.
pub const VARIABLE: &str = "EDGEWAY_TABLE";

/// How much later than a reader DynamoDB may forget: nobody holds a version for as long.
const CLEANED: Duration = Duration::from_secs(3600);

/// The table.
pub struct Table {
    service: JsonService,
    name: String,
}

/// An item's attributes.
#[derive(Clone, Debug, Default)]
pub(super) struct Item(BTreeMap<String, Value>);

impl Item {
    /// An item's key.
    pub(super) fn key(pk: &str, sk: &str) -> Self {
        Self::default().text("pk", pk).text("sk", sk)
    }

    pub(super) fn text(mut self, name: &str, text: &str) -> Self {
        self.0.insert(name.to_owned(), json!({"S": text}));
        self
    }

    pub(super) fn number(mut self, name: &str, number: u64) -> Self {
        self.0.insert(name.to_owned(), json!({"N": number.to_string()}));
        self
    }

    /// Bytes; none at all are no attribute.
    pub(super) fn bytes(mut self, name: &str, bytes: &[u8]) -> Self {
        if !bytes.is_empty() {
            self.0.insert(name.to_owned(), json!({"B": STANDARD.encode(bytes)}));
        }
        self
    }

    /// An expiry, and when DynamoDB may clean up.
    pub(super) fn expires(self, expires: Option<Timestamp>) -> Self {
        match expires {
            Some(at) => self.number("x", at.0).number("ttl", at.plus(CLEANED).seconds()),
            None => self,
        }
    }

    fn read(value: &Value) -> Self {
        Self(value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    pub(super) fn get_text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?["S"].as_str()
    }

    pub(super) fn get_number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?["N"].as_str()?.parse().ok()
    }

    pub(super) fn get_bytes(&self, name: &str) -> Bytes {
        let encoded = self.0.get(name).and_then(|value| value["B"].as_str()).unwrap_or_default();
        STANDARD.decode(encoded).unwrap_or_default().into()
    }

    /// Whether a reader of this moment sees it.
    pub(super) fn lives(&self, now: Timestamp) -> bool {
        self.get_number("x").is_none_or(|expires| expires > now.0)
    }

    fn into_json(self) -> Value {
        Value::Object(self.0.into_iter().collect::<Map<_, _>>())
    }
}

/// A page of a query.
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    /// The sort key after which the next one begins.
    pub(super) after: Option<String>,
}

impl Table {
    /// A table of that name.
    pub fn new(aws: Arc<Aws>, name: String, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let endpoint = aws.endpoint("dynamodb", variable);
        Self { service: JsonService { aws, endpoint, name: "dynamodb", target: "DynamoDB_20120810" }, name }
    }

    /// What everything here is asked with.
    pub(super) fn aws(&self) -> &Aws {
        &self.service.aws
    }

    /// Whether the table is there, as it must be, and may be used. The error says what to do.
    pub async fn check(&self) -> Result<()> {
        self.get("check", "-").await.map(drop)
    }

    /// A strong read.
    pub(super) async fn get(&self, pk: &str, sk: &str) -> Result<Option<Item>> {
        let body = json!({"TableName": self.name, "Key": Item::key(pk, sk).into_json(), "ConsistentRead": true});
        let answer = self.done("GetItem", body, Again::Safe).await?;
        Ok(answer.get("Item").map(Item::read))
    }

    /// Writes, and gives what was there.
    pub(super) async fn put(&self, item: Item) -> Result<Option<Item>> {
        let body = json!({"TableName": self.name, "Item": item.into_json(), "ReturnValues": "ALL_OLD"});
        let answer = self.done("PutItem", body, Again::Safe).await?;
        Ok(answer.get("Attributes").map(Item::read))
    }

    /// Writes if the version is still `version`, or if there is no item when it is 0; says whether it did.
    pub(super) async fn put_over(&self, item: Item, version: u64) -> Result<bool> {
        let mut body = json!({"TableName": self.name, "Item": item.into_json()});
        if version == 0 {
            body["ConditionExpression"] = "attribute_not_exists(pk)".into();
        } else {
            body["ConditionExpression"] = "n = :n".into();
            body["ExpressionAttributeValues"] = json!({":n": {"N": version.to_string()}});
        }
        match self.service.call("PutItem", &body, Again::Refused).await? {
            Answer::Done(_) => Ok(true),
            Answer::Refused { code, .. } if code == "ConditionalCheckFailedException" => Ok(false),
            Answer::Refused { code, message } => Err(self.refused("PutItem", &code, &message)),
        }
    }

    /// Removes, and gives what was there.
    pub(super) async fn delete(&self, pk: &str, sk: &str) -> Result<Option<Item>> {
        let body = json!({"TableName": self.name, "Key": Item::key(pk, sk).into_json(), "ReturnValues": "ALL_OLD"});
        let answer = self.done("DeleteItem", body, Again::Safe).await?;
        Ok(answer.get("Attributes").map(Item::read))
    }

    /// Items of a partition whose sort keys begin with `prefix`, in byte order, from behind `after` on; keys and expiries only.
    pub(super) async fn query(&self, pk: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page> {
        let mut body = json!({
            "TableName": self.name, "ConsistentRead": true, "Limit": limit, "ProjectionExpression": "sk, x",
            "KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": pk}},
        });
        if !prefix.is_empty() {
            body["KeyConditionExpression"] = "pk = :p AND begins_with(sk, :s)".into();
            body["ExpressionAttributeValues"][":s"] = json!({"S": prefix});
        }
        if let Some(after) = after {
            body["ExclusiveStartKey"] = Item::key(pk, after).into_json();
        }
        let answer = self.done("Query", body, Again::Safe).await?;
        Ok(Page {
            items: answer["Items"].as_array().into_iter().flatten().map(Item::read).collect(),
            after: answer.get("LastEvaluatedKey").and_then(|key| Item::read(key).get_text("sk").map(str::to_owned)),
        })
    }

    async fn done(&self, action: &str, body: Value, again: Again) -> Result<Value> {
        match self.service.call(action, &body, again).await? {
            Answer::Done(value) => Ok(value),
            Answer::Refused { code, message } => Err(self.refused(action, &code, &message)),
        }
    }

    fn refused(&self, action: &str, code: &str, message: &str) -> Error {
        let name = &self.name;
        let help = match code {
            "ResourceNotFoundException" => format!("there is no such table in {}; {}", self.service.aws.region, self.create()),
            "ValidationException" if message.contains("schema") || message.contains("missing the key") => {
                format!("its keys are not `pk` and `sk`, both strings; {}", self.create())
            }
            "AccessDeniedException" => {
                "the function's role may not do that; allow dynamodb:GetItem, PutItem, DeleteItem and Query on \
                                        the table (template.yaml does: DynamoDBCrudPolicy)"
                    .to_owned()
            }
            "UnrecognizedClientException" | "InvalidSignatureException" | "ExpiredTokenException" => {
                "the credentials in AWS_ACCESS_KEY_ID are not accepted; on Lambda leave them to the function's role".to_owned()
            }
            _ => String::new(),
        };
        misconfigured(format_args!("the DynamoDB table `{name}` ({VARIABLE}): {action}: {code}: {message}; {help}"))
    }

    fn create(&self) -> String {
        format!(
            "create it with `aws dynamodb create-table --table-name {} --billing-mode PAY_PER_REQUEST --attribute-definitions \
             AttributeName=pk,AttributeType=S AttributeName=sk,AttributeType=S --key-schema AttributeName=pk,KeyType=HASH \
             AttributeName=sk,KeyType=RANGE`, or deploy template.yaml, which has it",
            self.name
        )
    }
}
