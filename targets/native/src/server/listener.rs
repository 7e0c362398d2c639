//! Listening sockets, one a worker, and the accept loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::drain::Phase;
use super::{Shared, connection};

/// Connections that the kernel may hold for us.
const BACKLOG: i32 = 4096;
/// Opens one listener a worker on the same address.
pub(super) fn open(address: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    // Sockets that share a port do not collide with those of another instance, which would then take half
    // of the connections unnoticed. One that does not share collides, so it goes first.
    let alone = listen(address, false)?;
    if workers == 1 || !cfg!(target_os = "linux") {
        return (0..workers).map(|_| alone.try_clone()).collect();
    }
    let address = alone.local_addr()?;
    drop(alone);
    (0..workers).map(|_| listen(address, true)).collect()
}

fn listen(address: SocketAddr, share: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart may bind while connections of the last run are still in TIME_WAIT.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    #[cfg(target_os = "linux")]
    socket.set_reuse_port(share)?;
    let _ = share;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts connections until the server drains.
pub(super) async fn accept(shared: &Arc<Shared>, listener: std::net::TcpListener) {
    let listener = TcpListener::from_std(listener).expect("the socket does not block, and the runtime has its drivers");
    let mut draining = std::pin::pin!(shared.drain.reached(Phase::Draining));
    loop {
        let next = async {
            shared.drain.fewer_than(shared.limits.connections).await;
            listener.accept().await
        };
        let accepted = tokio::select! {
            biased;
            () = &mut draining => return,
            accepted = next => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Counted here, so that the next look at the cap sees it.
                let entered = shared.drain.enter();
                drop(tokio::spawn(connection::serve(shared.clone(), stream, peer.ip(), entered)));
            }
            // Out of descriptors or memory: the connection stays queued, and others must end first.
            Err(error) if !is_clients(&error) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(_) => {}
        }
    }
}

/// Whether the client went away between its connect and our accept.
fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
