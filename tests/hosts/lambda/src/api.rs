//! The Runtime API, as a function sees it. Source: AWS Lambda developer guide, "Using the Lambda runtime API" and
//! "Response streaming with custom runtimes".
//!
//! | call | what it does |
//! |---|---|
//! | `GET /2018-06-01/runtime/invocation/next` | waits for the next invocation |
//! | `POST .../invocation/{id}/response` | an answer: whole, or streamed as it comes; trailers say that it failed on the way |
//! | `POST .../invocation/{id}/error` | there is no answer |
//! | `POST .../init/error` | the function cannot start |

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use edgeway_tests::http1::{BodyReader, Connection, Head};

use crate::reply::{self, Piece, Prelude};
use crate::sandbox::{Current, Shared, signal};

const BASE: &str = "/2018-06-01/runtime/";

/// Serves one sandbox. `freezes` is the process to stop at the end of each answer.
pub(crate) fn serve(listener: TcpListener, shared: Arc<Shared>, freezes: Option<u32>) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let shared = shared.clone();
            std::thread::spawn(move || {
                // A function that went away is its process's end, which is watched.
                let _ = connection(stream, &shared, freezes);
            });
        }
    });
}

fn connection(stream: TcpStream, shared: &Shared, freezes: Option<u32>) -> io::Result<()> {
    let patient = stream.try_clone()?;
    let mut connection = Connection::new(stream)?;
    // A frozen function is silent for as long as nobody asks.
    patient.set_read_timeout(None)?;
    while let Some(head) = connection.read_head()? {
        let path = head.word(1).strip_prefix(BASE).unwrap_or_default().to_owned();
        match (head.word(0), path.split('/').collect::<Vec<_>>().as_slice()) {
            ("GET", ["invocation", "next"]) => {
                let Some(current) = shared.next() else { return Ok(()) };
                connection.write(&invocation(&current))?;
            }
            ("POST", ["invocation", id, what]) => {
                let Some(current) = shared.current(id) else {
                    connection.read_body(&head, false)?;
                    connection.write(&answer(400, "{\"errorType\":\"InvalidRequestID\"}"))?;
                    continue;
                };
                let pieces = match *what {
                    "response" if is_streamed(&head) => stream_answer(&mut connection, &head, &current),
                    "response" => reply::whole(&connection.read_body(&head, false)?),
                    _ => Err(String::from_utf8_lossy(&connection.read_body(&head, false)?).into_owned()),
                };
                if let Some(pid) = freezes {
                    signal(pid, "STOP");
                }
                for piece in pieces.unwrap_or_else(|wrong| vec![Piece::Failed(wrong)]) {
                    let _ = current.answer.send(piece);
                }
                drop(current);
                connection.write(&answer(202, "{\"status\":\"OK\"}"))?;
                shared.finish();
            }
            ("POST", ["init", "error"]) => {
                let said = connection.read_body(&head, false)?;
                eprintln!("lambda-host: the function cannot start: {}", String::from_utf8_lossy(&said));
                connection.write(&answer(202, "{\"status\":\"OK\"}"))?;
            }
            _ => {
                connection.read_body(&head, false)?;
                connection.write(&answer(404, "{}"))?;
            }
        }
    }
    Ok(())
}

fn is_streamed(head: &Head) -> bool {
    head.header("lambda-runtime-function-response-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("streaming"))
}

/// Passes an answer on as it comes. What it gives is what is left to say at its end.
fn stream_answer(connection: &mut Connection, head: &Head, current: &Current) -> Result<Vec<Piece>, String> {
    let mut prelude = Prelude::default();
    let mut body = BodyReader::new(head, false);
    loop {
        match body.next(connection) {
            Ok(Some(bytes)) => {
                for piece in prelude.take(bytes)? {
                    // A caller that went away does not end an invocation.
                    let _ = current.answer.send(piece);
                }
            }
            Ok(None) => break,
            Err(error) => return Err(format!("the answer broke off: {error}")),
        }
    }
    if let Some((_, why)) = body.trailers().iter().find(|(name, _)| name == "lambda-runtime-function-error-type") {
        return Err(why.clone());
    }
    if prelude.is_over() { Ok(vec![Piece::End]) } else { Err("the answer has no prelude".into()) }
}

fn invocation(current: &Current) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nlambda-runtime-aws-request-id: {}\r\n\
         lambda-runtime-deadline-ms: {}\r\nlambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:edgeway\r\n\
         lambda-runtime-trace-id: Root=1-00000000-000000000000000000000000;Sampled=0\r\ncontent-length: {}\r\n\r\n",
        current.id,
        current.deadline,
        current.event.len()
    );
    [head.as_bytes(), &current.event].concat()
}

fn answer(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// An id as invocations have it.
pub(crate) fn request_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("00000000-0000-4000-8000-{:012x}", NEXT.fetch_add(1, Ordering::Relaxed))
}
