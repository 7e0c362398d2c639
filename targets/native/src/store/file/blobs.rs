//! Large objects: a file each, named after the SHA-256 of its key.
//!
//! A file begins with a head: `EWB1`, expiry (8 bytes, microseconds since the Unix epoch, little-endian; 0 for never), the
//! key's length (4 bytes) and the key. Invariant: a file under its own name is whole and on disk; everything before that
//! happens in `tmp/`, which is emptied at the start.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use edgeway_core::Body;
use edgeway_core::error::{Error, ErrorKind, Result};
use edgeway_core::ports::{BlobStore, Clock, Timestamp};
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::store::away;

const MAGIC: &[u8; 4] = b"EWB1";
/// Magic, expiry and the key's length.
const FIXED: usize = 16;
/// The longest key that a head is believed to have.
const LONGEST_KEY: usize = 1 << 16;
/// How much of an object is in memory at once.
const CHUNK: usize = 64 << 10;

/// Objects in a folder.
pub(in crate::store) struct Blobs {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    capacity: u64,
    used: AtomicU64,
    /// Held where a name begins or stops to mean a file, so that a sweep never removes what has just been stored.
    names: Mutex<()>,
}

/// A file in `tmp/` that is removed unless it got a name.
struct Unnamed(PathBuf);

impl Drop for Unnamed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Blobs {
    /// A store of at most about `capacity` bytes in `folder`, which no other process uses.
    pub(super) fn open(folder: PathBuf, clock: Arc<dyn Clock>, capacity: u64) -> io::Result<Self> {
        let unnamed = folder.join("tmp");
        if unnamed.exists() {
            std::fs::remove_dir_all(&unnamed)?;
        }
        std::fs::create_dir_all(unnamed)?;
        Ok(Self { folder, clock, capacity, used: AtomicU64::new(0), names: Mutex::new(()) })
    }

    fn path(&self, key: &str) -> PathBuf {
        let name = hex(&Sha256::digest(key));
        self.folder.join(&name[..2]).join(&name[2..])
    }

    /// Removes expired objects and counts the rest.
    pub(super) fn sweep(&self) {
        let mut used = 0;
        for folder in entries(&self.folder).filter(|path| path.file_name().is_some_and(|name| name.len() == 2)) {
            for path in entries(&folder) {
                let _names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
                let Ok(length) = std::fs::metadata(&path).map(|data| data.len()) else { continue };
                let now = self.clock.now();
                if std::fs::File::open(&path).and_then(head).is_ok_and(|head| head.live(now)) {
                    used += length;
                } else {
                    let _ = std::fs::remove_file(&path);
                }
            }
        }
        self.used.store(used, Ordering::Relaxed);
    }

    async fn write(&self, unnamed: &Path, key: &str, body: Body, ttl: Option<Duration>) -> Result<u64> {
        let mut file = File::create_new(unnamed).await.map_err(away)?;
        file.write_all(&Head { expires: 0, key: key.to_owned() }.bytes()).await.map_err(away)?;
        let mut length = (FIXED + key.len()) as u64;
        let mut chunks = match body {
            Body::Empty => stream::empty().boxed(),
            Body::Full(bytes) => stream::once(async move { Ok(bytes) }).boxed(),
            Body::Stream(stream) => stream,
        };
        while let Some(chunk) = chunks.next().await.transpose()? {
            length += chunk.len() as u64;
            if self.used.load(Ordering::Relaxed) + length > self.capacity {
                return Err(Error::new(ErrorKind::Overloaded, "The gateway's store is full. Try again later.")
                    .source(format_args!("the blob store holds its {} bytes", self.capacity)));
            }
            file.write_all(&chunk).await.map_err(away)?;
        }
        if let Some(ttl) = ttl {
            file.seek(io::SeekFrom::Start(MAGIC.len() as u64)).await.map_err(away)?;
            file.write_all(&self.clock.now().plus(ttl).0.to_le_bytes()).await.map_err(away)?;
        }
        file.sync_all().await.map_err(away)?;
        Ok(length)
    }

    /// Gives a file its name; the name is on disk when this returns.
    fn name(&self, unnamed: &Path, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.folder);
        let _names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if !folder.exists() {
            std::fs::create_dir_all(folder)?;
            sync_folder(&self.folder)?;
        }
        std::fs::rename(unnamed, path)?;
        sync_folder(folder)
    }
}

#[async_trait]
impl BlobStore for Blobs {
    async fn fetch(&self, key: &str) -> Result<Option<Body>> {
        let (path, key, now) = (self.path(key), key.to_owned(), self.clock.now());
        let opened = blocking(move || {
            let mut file = match std::fs::File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                file => file?,
            };
            let head = head(&mut file)?;
            Ok((head.key == key && head.live(now)).then_some(file))
        });
        let Some(file) = opened.await? else { return Ok(None) };
        let pieces = stream::try_unfold(File::from_std(file), |mut file| async move {
            let mut piece = BytesMut::with_capacity(CHUNK);
            let read = file.read_buf(&mut piece).await.map_err(away)?;
            Ok((read > 0).then(|| (piece.freeze(), file)))
        });
        Ok(Some(Body::stream(pieces)))
    }

    async fn put(&self, key: &str, body: Body, ttl: Option<Duration>) -> Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let unnamed = Unnamed(self.folder.join("tmp").join(NEXT.fetch_add(1, Ordering::Relaxed).to_string()));
        let length = self.write(&unnamed.0, key, body, ttl).await?;
        self.name(&unnamed.0, &self.path(key)).map_err(away)?;
        self.used.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key);
        let _names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(away(error)),
            _ => Ok(()),
        }
    }
}

/// What a file says of itself.
struct Head {
    expires: u64,
    key: String,
}

impl Head {
    fn live(&self, now: Timestamp) -> bool {
        self.expires == 0 || self.expires > now.0
    }

    fn bytes(&self) -> Bytes {
        let length = u32::try_from(self.key.len()).unwrap_or(u32::MAX);
        [MAGIC, &self.expires.to_le_bytes()[..], &length.to_le_bytes(), self.key.as_bytes()].concat().into()
    }
}

/// Reads the head of a file, which stands behind it then.
fn head(mut file: impl Read) -> io::Result<Head> {
    let mut fixed = [0; FIXED];
    file.read_exact(&mut fixed)?;
    let length = u32::from_le_bytes([fixed[12], fixed[13], fixed[14], fixed[15]]) as usize;
    if !fixed.starts_with(MAGIC) || length > LONGEST_KEY {
        return Err(io::Error::other("this file is no object of the store"));
    }
    let mut key = vec![0; length];
    file.read_exact(&mut key)?;
    let expires = fixed[4..12].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    Ok(Head { expires, key: String::from_utf8_lossy(&key).into_owned() })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(away)?.map_err(away)
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

/// A name is on disk when its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
