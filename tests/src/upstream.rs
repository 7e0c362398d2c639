//! A provider on a loopback port that plays a script: exact chunks, stalls, hang-ups and resets, in the order written.
//!
//! Answers are given in the order in which requests arrive; a request after the last answer gets a closed connection and is
//! remembered all the same. Nothing here sleeps: a stall waits for the gateway to close.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::http1::{Connection, PATIENCE};
use crate::script::{Answer, Seen, Step};

/// A running scripted provider. Dropping it ends it.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Signalled when an exchange ends.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    seen: Vec<Seen>,
    /// Exchanges under way.
    open: usize,
    stopped: bool,
}

impl Upstream {
    /// Starts one on a free port.
    pub fn start(answers: impl IntoIterator<Item = Answer>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = State { answers: answers.into_iter().collect(), ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.lock().stopped {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = accepting.clone();
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds answers for later requests.
    pub fn expect(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.lock().answers.extend(answers);
    }

    /// What was asked so far, oldest first, once no exchange is under way. Fails when one does not end.
    pub fn seen(&self) -> Result<Vec<Seen>, String> {
        let state = self.shared.lock();
        let (state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.open > 0)
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return Err("the gateway holds an exchange with the provider open".into());
        }
        Ok(state.seen.clone())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        let _ = TcpStream::connect(self.address); // wakes the accepting thread
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves the requests of one connection. Errors end it: the gateway went away.
    fn serve(&self, stream: TcpStream) {
        let Ok(mut connection) = Connection::new(stream) else { return };
        while let Ok(Some(head)) = connection.read_head() {
            let Ok(body) = connection.read_body(&head, false) else { return };
            let seen =
                Seen { method: head.word(0).to_owned(), path: head.word(1).to_owned(), headers: head.headers.clone(), body };
            let answer = {
                let mut state = self.lock();
                state.seen.push(seen);
                state.open += 1;
                state.answers.pop_front()
            };
            let goes_on = answer.map(|answer| play(connection, answer));
            self.lock().open -= 1;
            self.changed.notify_all();
            match goes_on {
                Some(Ok(Some(same))) => connection = same,
                _ => return,
            }
        }
    }
}

/// Plays an answer; gives the connection back when it can serve another request.
fn play(mut connection: Connection, answer: Answer) -> io::Result<Option<Connection>> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // A whole body says its length, as providers do; a body of steps is chunked.
    if let [Step::Chunk(body)] = answer.steps.as_slice() {
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let whole = [head.as_bytes(), body].concat();
        connection.write(&whole)?;
        return Ok(Some(connection));
    }
    head.push_str("transfer-encoding: chunked\r\n\r\n");
    // An answer that fails before its first chunk fails before its head.
    if matches!(answer.steps.first(), None | Some(Step::Chunk(_))) {
        connection.write(head.as_bytes())?;
    }
    for step in answer.steps {
        match step {
            Step::Chunk(chunk) => connection.write_chunk(&chunk)?,
            Step::Reset => {
                connection.reset()?;
                return Ok(None);
            }
            Step::HangUp => return Ok(None),
            Step::Stall => {
                connection.wait_for_close();
                return Ok(None);
            }
        }
    }
    connection.write(b"0\r\n\r\n")?;
    Ok(Some(connection))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::BodyReader;

    fn ask(upstream: &Upstream) -> (u16, Vec<Vec<u8>>, bool) {
        let mut connection = Connection::new(TcpStream::connect(upstream.address()).unwrap()).unwrap();
        connection.write(b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi").unwrap();
        let Ok(Some(head)) = connection.read_head() else { return (0, Vec::new(), true) };
        let mut body = BodyReader::new(&head, true);
        let mut chunks = Vec::new();
        loop {
            match body.next(&mut connection) {
                Ok(Some(chunk)) => chunks.push(chunk),
                Ok(None) => return (head.word(1).parse().unwrap(), chunks, false),
                Err(_) => return (head.word(1).parse().unwrap(), chunks, true),
            }
        }
    }

    fn answer(steps: Vec<Step>) -> Answer {
        Answer { status: 200, headers: vec![("content-type".into(), "text/plain".into())], steps }
    }

    #[test]
    fn a_script_is_played_in_order_and_requests_are_remembered() {
        let chunks = || vec![Step::Chunk(b"a".to_vec()), Step::Chunk(b"bc".to_vec())];
        let script =
            [answer(vec![Step::Chunk(b"whole".to_vec())]), answer(chunks()), answer([chunks(), vec![Step::Reset]].concat())];
        let upstream = Upstream::start(script).unwrap();
        assert_eq!(ask(&upstream), (200, vec![b"whole".to_vec()], false));
        assert_eq!(ask(&upstream), (200, vec![b"a".to_vec(), b"bc".to_vec()], false));
        assert!(ask(&upstream).2, "a reset breaks the body");
        assert_eq!(ask(&upstream).0, 0, "the script has no more answers");
        let seen = upstream.seen().unwrap();
        assert_eq!((seen.len(), seen[0].path.as_str(), &seen[0].body[..]), (4, "/x", &b"hi"[..]));
    }
}
