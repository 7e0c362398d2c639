//! Counts in cells of a store, as fast as it goes: what the store tests kill and the store bench measures.
//!
//!     cells STORE CELLS CONCURRENCY COMMANDS
//!
//! Sends COMMANDS commands, CONCURRENCY at a time, round robin to the cells `edgeway-count-0`, ... Prints a line
//! `CELL COUNT` for each reply as soon as it is acknowledged (unless `QUIET` is set), and a JSON line at the end.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "an example is a program of its own")]

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use edgeway_core::config::{self, StoreChoice};
use edgeway_core::ports::suite::COUNTER;
use edgeway_native::ports::clock::SystemClock;
use edgeway_native::store::Stores;
use futures_util::{StreamExt, stream};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, cells, concurrency, commands] = arguments.as_slice() else { panic!("cells STORE CELLS CONCURRENCY COMMANDS") };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let (cells, concurrency, commands) = (number(cells), number(concurrency), number(commands));
    let stores = Stores::open(Some(&choice(store)), None, Arc::new(SystemClock)).unwrap_or_else(|why| panic!("{why}"));
    let quiet = std::env::var_os("QUIET").is_some();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let started = Instant::now();
    let failed = runtime.block_on(async {
        let commands = (0..commands).map(|index| {
            let (cell, store) = (index % cells, stores.cells.clone());
            async move { (cell, store.command(&format!("edgeway-count-{cell}"), COUNTER, Bytes::from_static(b"add")).await) }
        });
        let mut failed = 0;
        let mut replies = stream::iter(commands).buffer_unordered(concurrency);
        while let Some((cell, reply)) = replies.next().await {
            match reply {
                Ok(count) if !quiet => {
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "{cell} {}", String::from_utf8_lossy(&count)).and_then(|()| out.flush()).expect("a reader");
                }
                Ok(_) => {}
                Err(error) => {
                    failed += 1;
                    eprintln!("{error:?}");
                }
            }
        }
        failed
    });
    let seconds = started.elapsed().as_secs_f64();
    stores.close();
    println!("{{\"commands\":{commands},\"failed\":{failed},\"per_second\":{:.0}}}", (commands - failed) as f64 / seconds);
}

/// The store that a line of configuration chooses.
fn choice(line: &str) -> StoreChoice {
    let document = format!("[server]\nstore = {line:?}\n");
    let loaded = config::load(Some(("cells", &document)), []).unwrap_or_else(|found| panic!("{}", config::render(&found)));
    loaded.document.server.store.expect("a store")
}
