//! The stores that a function is bound to, by its variables, and what core gets of them.
//!
//! | variable | what it names |
//! |---|---|
//! | `EDGEWAY_TABLE` | a DynamoDB table: values and cells |
//! | `EDGEWAY_BUCKET` | an S3 bucket: large objects |
//! | `EDGEWAY_QUEUE_URL` | an SQS queue: a copy of every record |
//!
//! A store that is bound and cannot work (not there, not allowed, the wrong keys) is a reason not to start. One that does not
//! answer is none: it may be back before it is needed.

use std::sync::Arc;

use edgeway_core::error::{Error, ErrorKind};
use edgeway_core::ports::{Ports, SwapCells, VersionedStore};
use edgeway_native::ports::clock::SystemClock;
use edgeway_native::ports::entropy::SystemEntropy;
use edgeway_native::ports::secrets::EnvironmentSecrets;
use futures_util::future::{BoxFuture, FutureExt, join_all};

use crate::ports::aws::Aws;
use crate::ports::blobs::{self, Bucket};
use crate::ports::cells::TableCells;
use crate::ports::deadline::{Deadline, PunctualClient};
use crate::ports::http::ThawedClient;
use crate::ports::kv::TableKv;
use crate::ports::log::Log;
use crate::ports::queue::{self, Queue};
use crate::ports::table::{self, Table};

/// The bound stores.
pub(crate) struct Stores {
    http: Arc<ThawedClient>,
    table: Option<Arc<Table>>,
    bucket: Option<Arc<Bucket>>,
    queue: Option<Arc<Queue>>,
}

impl Stores {
    /// Reads the bindings. The error says what is wrong with them.
    pub(crate) fn bound() -> Result<Self, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let names = [table::VARIABLE, blobs::VARIABLE, queue::VARIABLE].map(variable);
        let http = Arc::new(ThawedClient::default());
        if names.iter().all(Option::is_none) {
            return Ok(Self { http, table: None, bucket: None, queue: None });
        }
        let aws = Aws::from_environment(&variable, http.clone(), Arc::new(SystemClock), Arc::new(SystemEntropy));
        let aws = Arc::new(aws.map_err(|missing| format!("stores are bound, but {missing}"))?);
        let [table, bucket, queue] = names;
        Ok(Self {
            http,
            table: table.map(|name| Arc::new(Table::new(aws.clone(), name, &variable))),
            bucket: bucket.map(|name| Arc::new(Bucket::new(aws.clone(), name, &variable))),
            queue: queue.map(|url| Queue::new(aws.clone(), url, &variable)).transpose()?.map(Arc::new),
        })
    }

    /// Asks every store, all at once, whether it can work. The error says which cannot, and what to do.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let mut checks: Vec<BoxFuture<'_, Result<(), Error>>> = Vec::new();
        checks.extend(self.table.iter().map(|table| table.check().boxed()));
        checks.extend(self.bucket.iter().map(|bucket| bucket.check().boxed()));
        checks.extend(self.queue.iter().map(|queue| queue.check().boxed()));
        let mut wrong = Vec::new();
        for error in join_all(checks).await.into_iter().filter_map(Result::err) {
            let why = error.source.unwrap_or(error.message);
            match error.kind {
                ErrorKind::Misconfigured => wrong.push(why),
                _ => eprintln!("edgeway: a store does not answer at the start: {why}"),
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// The store below the cells.
    pub(crate) fn versioned(&self) -> Option<Arc<dyn VersionedStore>> {
        self.table.clone().map(|table| Arc::new(TableCells::new(table)) as _)
    }

    /// What core gets. Its exchanges with providers are over at the deadline.
    pub(crate) fn ports(&self, deadline: Deadline) -> Ports {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        Ports {
            http: Arc::new(PunctualClient::new(self.http.clone(), deadline)),
            kv: self.table.clone().map(|table| Arc::new(TableKv::new(table)) as _),
            cells: self.versioned().map(|store| Arc::new(SwapCells::new(store, clock.clone(), entropy.clone())) as _),
            blobs: self.bucket.clone().map(|bucket| bucket as _),
            events: Arc::new(Log::new(self.queue.clone())),
            vectors: None,
            secrets: Arc::new(EnvironmentSecrets::default()),
            clock,
            entropy,
        }
    }
}
