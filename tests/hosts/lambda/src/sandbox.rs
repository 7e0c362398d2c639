//! One sandbox: a process of the function, which takes one invocation at a time.
//!
//! | what happens | the caller gets | then |
//! |---|---|---|
//! | the answer ends | all of it | frozen, if asked for, before the function learns that the answer was taken |
//! | the process ends, or a call fails | 502, or a broken connection | a new process at the next invocation |
//! | the time limit | the same | the process is killed |

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use edgeway_tests::http1::Head;

use crate::api;
use crate::mortal;
use crate::options::Options;
use crate::queue::{Invocation, Queue};
use crate::reply::Piece;

/// What every sandbox starts.
pub(crate) struct Function {
    bootstrap: PathBuf,
    root: PathBuf,
    environment: Vec<(String, String)>,
    pub(crate) time_limit: Duration,
    freeze: bool,
}

impl Function {
    /// Lays the function out as it is deployed: a folder with the shipped file, an environment.
    pub(crate) fn new(options: &Options, bindings: Vec<(String, String)>) -> Result<Self, String> {
        let root = std::env::temp_dir().join(format!("edgeway-lambda-{}", std::process::id()));
        std::fs::create_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
        if let Some(config) = &options.config {
            std::fs::copy(config, root.join("edgeway.toml")).map_err(|error| format!("{}: {error}", config.display()))?;
        }
        let mut environment = vec![
            ("AWS_REGION".into(), "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID".into(), "AKIDLOCAL".into()),
            ("AWS_SECRET_ACCESS_KEY".into(), "local".into()),
            ("AWS_SESSION_TOKEN".into(), "local-session".into()),
        ];
        environment.extend(bindings);
        environment.extend(std::env::vars());
        environment.extend([
            ("LAMBDA_TASK_ROOT".into(), root.to_string_lossy().into_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME".into(), "edgeway".into()),
            ("AWS_LAMBDA_FUNCTION_VERSION".into(), "$LATEST".into()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".into(), "256".into()),
        ]);
        // Sandboxes run in a folder of their own.
        let bootstrap = options.bootstrap.canonicalize().map_err(|error| format!("{}: {error}", options.bootstrap.display()))?;
        Ok(Self { bootstrap, root, environment, time_limit: options.time_limit, freeze: options.freeze })
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

/// A running sandbox.
pub(crate) struct Sandbox {
    manager: JoinHandle<()>,
}

/// What the manager and the Runtime API's connections share.
#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Waits for `/next`.
    next: Option<Current>,
    /// Was given out.
    current: Option<Current>,
    /// The answer has ended, well or not.
    finished: bool,
    /// The process has ended.
    dead: bool,
}

/// An invocation under way.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) id: String,
    pub(crate) event: Arc<[u8]>,
    pub(crate) deadline: u64,
    pub(crate) answer: std::sync::mpsc::Sender<Piece>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the invocation that `/next` gives; `None` when the process is gone.
    pub(crate) fn next(&self) -> Option<Current> {
        let waiting = |state: &mut State| state.next.is_none() && !state.dead;
        let mut state = self.changed.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        let next = state.next.take();
        state.current.clone_from(&next);
        next
    }

    /// The invocation under way, if it has that id.
    pub(crate) fn current(&self, id: &str) -> Option<Current> {
        self.lock().current.clone().filter(|current| current.id == id)
    }

    /// The answer has ended.
    pub(crate) fn finish(&self) {
        self.lock().finished = true;
        self.changed.notify_all();
    }

    fn die(&self) {
        self.lock().dead = true;
        self.changed.notify_all();
    }
}

impl Sandbox {
    /// Starts sandboxes and waits until each is ready. Fails with what the function says when it refuses its configuration.
    pub(crate) fn start_all(function: &Arc<Function>, queue: &Arc<Queue>, options: &Options) -> Result<Vec<Self>, String> {
        let mut processes = Vec::new();
        for _ in 0..options.instances {
            let mut process = Process::start(function, true)?;
            process.is_ready(options)?;
            processes.push(process);
        }
        let start = |process: Process| {
            let (function, queue) = (function.clone(), queue.clone());
            Self { manager: std::thread::spawn(move || manage(process, &function, &queue)) }
        };
        Ok(processes.into_iter().map(start).collect())
    }

    /// Waits for what is under way. The queue is closed.
    pub(crate) fn end(self) {
        let _ = self.manager.join();
    }
}

/// Gives a process its invocations, and replaces it when it has ended.
fn manage(process: Process, function: &Arc<Function>, queue: &Queue) {
    let mut process = Some(process);
    while let Some(invocation) = queue.take() {
        let running = match process.take() {
            Some(running) if !running.shared.lock().dead => Ok(running),
            _ => Process::start(function, false),
        };
        match running {
            Ok(mut running) => {
                if running.invoke(invocation) {
                    process = Some(running);
                }
            }
            Err(wrong) => {
                let _ = invocation.answer.send(Piece::Failed(wrong));
            }
        }
    }
}

/// A process of the function, and its Runtime API.
struct Process {
    child: Child,
    shared: Arc<Shared>,
    time_limit: Duration,
    freeze: bool,
    frozen: bool,
    outputs: Vec<JoinHandle<()>>,
}

impl Process {
    fn start(function: &Arc<Function>, probed: bool) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("the Runtime API: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let mut child = mortal::command(&function.bootstrap)
            .current_dir(&function.root)
            .env_clear()
            .envs(function.environment.iter().cloned())
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", function.bootstrap.display()))?;
        eprintln!("{}", serde_json::json!({"event": "sandbox", "pid": child.id()}));
        let shared = Arc::new(Shared::default());
        let freezes = function.freeze.then(|| child.id());
        api::serve(listener, shared.clone(), freezes);
        let outputs = vec![
            forward(child.stdout.take(), std::io::stdout(), probed, Some(shared.clone())),
            forward(child.stderr.take(), std::io::stderr(), false, None),
        ];
        Ok(Self { child, shared, time_limit: function.time_limit, freeze: function.freeze, frozen: false, outputs })
    }

    /// Asks the function whether it serves. Its record of that is not shown.
    fn is_ready(&mut self, options: &Options) -> Result<(), String> {
        let head = Head { start: "GET /ready HTTP/1.1".into(), headers: vec![("host".into(), "localhost".into())] };
        let (answer, pieces) = channel();
        self.invoke(Invocation { event: options.source.event(&head, b"").to_string().into_bytes(), answer });
        let status = pieces.iter().find_map(|piece| match piece {
            Piece::Head { status, .. } => Some(Ok(status)),
            Piece::Failed(wrong) => Some(Err(wrong)),
            _ => None,
        });
        let wrong = match status {
            Some(Ok(200)) => return Ok(()),
            Some(Ok(_)) if options.unready => return Ok(()),
            Some(Ok(status)) => format!("the function is not ready: /ready answers {status}"),
            Some(Err(wrong)) => format!("the function does not start: {wrong}"),
            None => "the function does not answer".into(),
        };
        self.kill();
        Err(wrong)
    }

    /// Runs an invocation to its end. False when the process is gone.
    fn invoke(&mut self, invocation: Invocation) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let current = Current {
            id: api::request_id(),
            event: invocation.event.into(),
            deadline: (now + self.time_limit).as_millis() as u64,
            answer: invocation.answer,
        };
        if std::mem::take(&mut self.frozen) {
            signal(self.child.id(), "CONT");
        }
        let mut state = self.shared.lock();
        state.finished = false;
        state.next = Some(current.clone());
        self.shared.changed.notify_all();
        let (mut state, late) = self
            .shared
            .changed
            .wait_timeout_while(state, self.time_limit, |state| !state.finished && !state.dead)
            .unwrap_or_else(PoisonError::into_inner);
        state.current = None;
        let (finished, dead) = (state.finished, state.dead);
        drop(state);
        if !finished {
            let why = if late.timed_out() { "the time limit" } else { "the process ended" };
            let _ = current.answer.send(Piece::Failed(why.into()));
            self.kill();
            return false;
        }
        self.frozen = self.freeze;
        !dead
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for output in self.outputs.drain(..) {
            let _ = output.join();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal, by its name.
pub(crate) fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).stderr(Stdio::null()).status();
}

/// Passes a process's lines on, without the record of the first question whether it is ready. The end of the output is
/// the end of the process, for whoever wants to know.
fn forward(
    output: Option<impl Read + Send + 'static>,
    mut to: impl Write + Send + 'static,
    probed: bool,
    watched: Option<Arc<Shared>>,
) -> JoinHandle<()> {
    let mut hidden = !probed;
    std::thread::spawn(move || {
        for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok) {
            if !hidden && line.contains("\"path\":\"/ready\"") {
                hidden = true;
            } else {
                // Whoever started the host may have stopped listening; the process may not notice.
                let _ = writeln!(to, "{line}").and_then(|()| to.flush());
            }
        }
        if let Some(shared) = watched {
            shared.die();
        }
    })
}

/// What a caller reads of an answer.
pub(crate) type Pieces = Receiver<Piece>;
