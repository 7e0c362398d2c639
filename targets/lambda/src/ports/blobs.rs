//! Large objects in an S3 bucket, below `edgeway/`.
//!
//! An object of up to one part goes out in one request; a larger one in parts, of which one is in memory at a time. Either
//! way S3 shows it only when all of it is there. A time to live is written beside the object and checked when it is read; a
//! lifecycle rule of the bucket removes what is old (template.yaml has one).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::BlobStore;
use edgeway_core::wire::sigv4::{Form, encode, encode_path};
use futures_util::StreamExt;
use http::{Method, Request, Response};

use super::aws::{Aws, away, misconfigured};

/// The variable that names the bucket.
pub const VARIABLE: &str = "EDGEWAY_BUCKET";

/// Bytes of a part. S3 takes no part but the last below 5 MiB, and at most 10,000 of them.
const PART: usize = 8 << 20;
/// Longest answer of S3's own that is read.
const MOST_ANSWER: usize = 1 << 20;
const PREFIX: &str = "edgeway/";
const EXPIRES: &str = "x-amz-meta-edgeway-expires";
/// Longest key that S3 takes.
const MOST_KEY: usize = 1024;

/// The bucket.
pub struct Bucket {
    aws: Arc<Aws>,
    base: String,
    name: String,
}

impl Bucket {
    /// A bucket of that name.
    pub fn new(aws: Arc<Aws>, name: String, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let endpoint = aws.endpoint("s3", variable);
        // A name with a dot has no certificate as a host.
        let base = match endpoint.url.strip_prefix("https://") {
            Some(host) if !endpoint.given && !name.contains('.') => format!("https://{name}.{host}"),
            _ => format!("{}/{}", endpoint.url, encode(&name)),
        };
        Self { aws, base, name }
    }

    /// Whether the bucket is there and may be used. The error says what to do.
    pub async fn check(&self) -> Result<()> {
        let response = self.send(Method::HEAD, "", Bytes::new(), None).await?;
        let name = &self.name;
        let region = &self.aws.region;
        match response.status().as_u16() {
            200 => Ok(()),
            404 => Err(misconfigured(format_args!(
                "the S3 bucket `{name}` ({VARIABLE}) does not exist; create it with `aws s3 mb s3://{name} --region {region}`, or deploy \
                 template.yaml, which has it"
            ))),
            403 => Err(misconfigured(format_args!(
                "the function's role may not use the S3 bucket `{name}` ({VARIABLE}); allow s3:GetObject, s3:PutObject, s3:DeleteObject \
                 and s3:ListBucket (template.yaml does: S3CrudPolicy)"
            ))),
            301 | 400 => Err(misconfigured(format_args!("the S3 bucket `{name}` ({VARIABLE}) is not in {region}"))),
            status => Err(away("s3", format_args!("HEAD {name}: {status}"))),
        }
    }

    async fn send(&self, method: Method, rest: &str, body: Bytes, expires: Option<u64>) -> Result<Response<Body>> {
        let mut request = Request::builder().method(method).uri(format!("{}{rest}", self.base));
        if let Some(expires) = expires {
            request = request.header(EXPIRES, expires);
        }
        let request = request.body(body).map_err(|error| misconfigured(format_args!("{}: {error}", self.base)))?;
        self.aws.send(request, "s3", Form::S3).await
    }

    /// Sends what may be sent twice, until it is answered with something else than S3's own trouble; gives the answer's
    /// headers and its body.
    async fn ask(&self, method: &Method, rest: &str, body: Bytes, expires: Option<u64>) -> Result<Response<Bytes>> {
        for attempt in 1.. {
            let answered = async {
                let (head, answer) = self.send(method.clone(), rest, body.clone(), expires).await?.into_parts();
                Ok(Response::from_parts(head, answer.collect(MOST_ANSWER).await?))
            };
            let failed = match answered.await {
                Ok(response) if response.status().is_success() || response.status().as_u16() == 404 => return Ok(response),
                Ok(response) if response.status().is_client_error() && response.status().as_u16() != 429 => {
                    return Err(self.refused(method, &response));
                }
                Ok(response) => self.refused(method, &response),
                Err(error) => error,
            };
            if !self.aws.pause(attempt).await {
                return Err(failed);
            }
        }
        unreachable!("attempts end, and the last one returns")
    }

    fn refused(&self, method: &Method, response: &Response<Bytes>) -> Error {
        let answer = String::from_utf8_lossy(response.body());
        let code = element(&answer, "Code").unwrap_or("no reason given");
        away("s3", format_args!("{method} in the bucket `{}` ({VARIABLE}): {}: {code}", self.name, response.status()))
    }

    async fn upload(&self, key: &str, body: Body, expires: Option<u64>) -> Result<()> {
        let mut stream = match body {
            Body::Empty => return self.whole(key, Bytes::new(), expires).await,
            Body::Full(bytes) if bytes.len() <= PART => return self.whole(key, bytes, expires).await,
            Body::Full(bytes) => Box::pin(futures_util::stream::iter([Ok(bytes)])),
            Body::Stream(stream) => stream,
        };
        let mut part = BytesMut::new();
        let mut parts: Option<Parts> = None;
        loop {
            let next = match stream.next().await.transpose() {
                Ok(next) => next,
                Err(error) => {
                    self.abort(key, parts).await;
                    return Err(error);
                }
            };
            match next {
                Some(bytes) => part.extend_from_slice(&bytes),
                None => break,
            }
            while part.len() > PART {
                let full = part.split_to(PART).freeze();
                let upload = match parts.take() {
                    Some(upload) => upload,
                    None => self.begin(key, expires).await?,
                };
                parts = Some(self.part(key, upload, full).await?);
            }
        }
        match parts {
            None => self.whole(key, part.freeze(), expires).await,
            Some(upload) => {
                let upload = self.part(key, upload, part.freeze()).await?;
                self.complete(key, upload).await
            }
        }
    }

    async fn whole(&self, key: &str, bytes: Bytes, expires: Option<u64>) -> Result<()> {
        self.ask(&Method::PUT, key, bytes, expires).await.map(drop)
    }

    async fn begin(&self, key: &str, expires: Option<u64>) -> Result<Parts> {
        let answer = self.ask(&Method::POST, &format!("{key}?uploads="), Bytes::new(), expires).await?;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let id = element(&text, "UploadId").ok_or_else(|| away("s3", "an upload without an id"))?;
        Ok(Parts { id: encode(id), tags: Vec::new() })
    }

    async fn part(&self, key: &str, mut upload: Parts, bytes: Bytes) -> Result<Parts> {
        let rest = format!("{key}?partNumber={}&uploadId={}", upload.tags.len() + 1, upload.id);
        let sent = self.ask(&Method::PUT, &rest, bytes, None).await;
        let tag = sent.and_then(|response| {
            let tag = response.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
            tag.ok_or_else(|| away("s3", "a part without a tag"))
        });
        match tag {
            Ok(tag) => {
                upload.tags.push(tag);
                Ok(upload)
            }
            Err(error) => {
                self.abort(key, Some(upload)).await;
                Err(error)
            }
        }
    }

    async fn complete(&self, key: &str, upload: Parts) -> Result<()> {
        let part = |(number, tag): (usize, &String)| {
            format!("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", number + 1, tag.replace('"', "&quot;"))
        };
        let parts: String = upload.tags.iter().enumerate().map(part).collect();
        let list = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let answer = self.ask(&Method::POST, &format!("{key}?uploadId={}", upload.id), list.into(), None).await?;
        // S3 may find out after it has said 200.
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        match element(&text, "Error") {
            None if answer.status().is_success() => Ok(()),
            _ => Err(self.refused(&Method::POST, &answer)),
        }
    }

    /// Gives the room back. What is left behind by a failure is the lifecycle rule's to remove.
    async fn abort(&self, key: &str, upload: Option<Parts>) {
        if let Some(upload) = upload {
            let _ = self.ask(&Method::DELETE, &format!("{key}?uploadId={}", upload.id), Bytes::new(), None).await;
        }
    }
}

/// An upload under way.
struct Parts {
    /// Its id, encoded for a query.
    id: String,
    tags: Vec<String>,
}

#[async_trait]
impl BlobStore for Bucket {
    async fn fetch(&self, key: &str) -> Result<Option<Body>> {
        let response = self.send(Method::GET, &path(key)?, Bytes::new(), None).await?;
        match response.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            _ => {
                let (head, body) = response.into_parts();
                return Err(self.refused(&Method::GET, &Response::from_parts(head, body.collect(MOST_ANSWER).await?)));
            }
        }
        let expires = response.headers().get(EXPIRES).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let gone = expires.is_some_and(|expires| expires <= self.aws.clock.now().0);
        Ok((!gone).then(|| response.into_body()))
    }

    async fn put(&self, key: &str, body: Body, ttl: Option<Duration>) -> Result<()> {
        let expires = ttl.map(|ttl| self.aws.clock.now().plus(ttl).0);
        self.upload(&path(key)?, body, expires).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.ask(&Method::DELETE, &path(key)?, Bytes::new(), None).await.map(drop)
    }
}

fn path(key: &str) -> Result<String> {
    if key.is_empty() || PREFIX.len() + key.len() > MOST_KEY {
        return Err(Error::new(ErrorKind::PayloadTooLarge, "The store of large objects takes keys of 1 to 1000 bytes."));
    }
    Ok(format!("/{PREFIX}{}", encode_path(key)))
}

/// The text of an element in an answer of S3's, which nests none of the same name.
fn element<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = answer.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}
