//! A request as the services in front of a function tell it. Shapes: AWS Lambda developer guide, "function URL request
//! payload", "API Gateway proxy integrations" (formats 1.0 and 2.0), "Application Load Balancer targets".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edgeway_tests::http1::Head;
use serde_json::{Map, Value, json};

/// Who sends the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    FunctionUrl,
    HttpApi,
    RestApi,
    LoadBalancer,
}

/// What a function's answer may be for this source.
impl Source {
    /// Reads the command line's word.
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        match word {
            "url" => Ok(Self::FunctionUrl),
            "http-api" => Ok(Self::HttpApi),
            "rest-api" => Ok(Self::RestApi),
            "alb" => Ok(Self::LoadBalancer),
            other => Err(format!("{other} sends no events: url, http-api, rest-api or alb")),
        }
    }

    /// The event of a request.
    pub(crate) fn event(self, head: &Head, body: &[u8]) -> Value {
        let (path, query) = head.word(1).split_once('?').unwrap_or((head.word(1), ""));
        let (body, base64) = encoded(body);
        let method = head.word(0);
        match self {
            Self::FunctionUrl => two(head, path, query, "abcdef.lambda-url.us-east-1.on.aws", "$default", (body, base64)),
            Self::HttpApi => {
                let staged = format!("/test{path}");
                two(head, &staged, query, "abcdef.execute-api.us-east-1.amazonaws.com", "test", (body, base64))
            }
            Self::RestApi => json!({
                "resource": "/{proxy+}", "path": path, "httpMethod": method,
                "headers": joined(head), "multiValueHeaders": lists(head),
                "queryStringParameters": null, "multiValueQueryStringParameters": parameters(query),
                "pathParameters": null, "stageVariables": null,
                "requestContext": {
                    "accountId": "123456789012", "apiId": "abcdef", "domainName": "abcdef.execute-api.us-east-1.amazonaws.com",
                    "httpMethod": method, "identity": {"sourceIp": "192.0.2.7", "userAgent": "test"}, "path": format!("/test{path}"),
                    "protocol": "HTTP/1.1", "requestId": "r", "requestTimeEpoch": 1_700_000_000_000_u64, "resourceId": "x",
                    "resourcePath": "/{proxy+}", "stage": "test"
                },
                "body": body, "isBase64Encoded": base64
            }),
            Self::LoadBalancer => json!({
                "requestContext": {"elb": {"targetGroupArn":
                    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/edgeway/0123456789abcdef"}},
                "httpMethod": method, "path": path,
                "queryStringParameters": query.split('&').filter(|pair| !pair.is_empty())
                    .map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (name.to_owned(), value.into()))
                    .collect::<Map<String, Value>>(),
                "headers": joined(head), "body": body.unwrap_or_default(), "isBase64Encoded": base64
            }),
        }
    }
}

fn two(head: &Head, path: &str, query: &str, domain: &str, stage: &str, body: (Option<String>, bool)) -> Value {
    let mut event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": joined(head),
        "requestContext": {
            "accountId": "anonymous", "apiId": "abcdef", "domainName": domain, "domainPrefix": "abcdef",
            "http": {"method": head.word(0), "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "test"},
            "requestId": "r", "routeKey": "$default", "stage": stage, "time": "12/Mar/2026:19:03:58 +0000",
            "timeEpoch": 1_700_000_000_000_u64
        },
        "isBase64Encoded": body.1
    });
    if let Some(body) = body.0 {
        event["body"] = body.into();
    }
    event
}

/// Names in lower case; values of the same name joined, as the services do.
fn joined(head: &Head) -> Map<String, Value> {
    let mut headers = Map::new();
    for (name, value) in with_own(head) {
        match headers.get_mut(&name) {
            Some(Value::String(before)) => *before = format!("{before},{value}"),
            _ => {
                headers.insert(name, value.into());
            }
        }
    }
    headers
}

fn lists(head: &Head) -> Map<String, Value> {
    let mut headers = Map::new();
    for (name, value) in with_own(head) {
        match headers.get_mut(&name) {
            Some(Value::Array(values)) => values.push(value.into()),
            _ => {
                headers.insert(name, json!([value]));
            }
        }
    }
    headers
}

fn with_own(head: &Head) -> impl Iterator<Item = (String, String)> {
    let hop = ["connection", "transfer-encoding", "keep-alive", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"];
    let own = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "443")];
    let given = head.headers.iter().filter(move |(name, _)| !hop.contains(&name.as_str())).cloned();
    given.chain(own.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// Query parameters as lists, decoded as a REST API does.
fn parameters(query: &str) -> Value {
    let mut map = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let values = map.entry(decoded(name)).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(decoded(value).into());
        }
    }
    if map.is_empty() { Value::Null } else { map.into() }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits: Vec<u8> = if byte == b'%' { rest.clone().take(2).collect() } else { Vec::new() };
        match std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest.nth(1);
            }
            None => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A body as events hold it: text, or base64 where it is none.
fn encoded(body: &[u8]) -> (Option<String>, bool) {
    match std::str::from_utf8(body) {
        Ok("") => (None, false),
        Ok(text) => (Some(text.to_owned()), false),
        Err(_) => (Some(STANDARD.encode(body)), true),
    }
}
