//! The native server: the tests' own build of it, over its embedded store and over Redis.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Launcher;
use crate::install;
use crate::report::{Broken, Report};
use crate::run::cargo;
use crate::workspace;

/// How long Redis may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Builds it, with and without the port suites. Each process keeps its state in the folder that it is started in.
pub(crate) fn prepare(report: &mut Report) -> Result<Launcher, Broken> {
    let built = workspace::target().join("debug/edgeway");
    let suite = workspace::scratch().join("edgeway-suite");
    // One program at a time bears the name; the one that is shipped comes last.
    report.command(
        "build edgeway with the port suites",
        cargo(&["build", "--package", "edgeway", "--features", "suite", "--quiet"]),
    )?;
    report.check("set it aside", || {
        let copied = std::fs::create_dir_all(workspace::scratch()).and_then(|()| std::fs::copy(&built, &suite));
        copied.map(|_| String::new()).map_err(|error| error.to_string())
    })?;
    report.command("build edgeway", cargo(&["build", "--package", "edgeway", "--quiet"]))?;
    let serve = |program: &std::path::Path| vec![program.to_string_lossy().into_owned(), "serve".to_owned()];
    Ok(Launcher { command: serve(&built), suite: serve(&suite), ..Launcher::default() })
}

/// The same, with the state of all processes in one Redis; each has a prefix of its own there, for a case that stores a
/// configuration would change the others.
pub(crate) fn prepare_redis(report: &mut Report) -> Result<Launcher, Broken> {
    report.check("redis-server", install::redis)?;
    let launcher = prepare(report)?;
    let mut started = None;
    report.check("start redis-server", || {
        started = Some(Arc::new(Redis::start()?));
        Ok(String::new())
    })?;
    let store = started.iter().map(|redis| ("EDGEWAY__SERVER__STORE".to_owned(), redis.store("{{unique}}"))).collect();
    Ok(Launcher { environment: store, redis: started, ..launcher })
}

/// A Redis server on a free port, without files. Ends with the chore.
#[derive(Debug)]
pub(crate) struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    pub(crate) fn start() -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|error| error.to_string())?.port();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server does not start: {error}"))?;
        let (redis, since) = (Self { child, port }, Instant::now());
        while TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_err() {
            if since.elapsed() > PATIENCE {
                return Err("redis-server does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(redis)
    }

    /// Its address in a configuration.
    pub(crate) fn store(&self, prefix: &str) -> String {
        format!("redis://127.0.0.1:{}/0?prefix={prefix}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
