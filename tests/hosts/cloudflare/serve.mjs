// Serves the built Worker on workerd, as a process that behaves like the native gateway.
//
//   node serve.mjs --config FILE [--suite] [--state DIR] [--worker DIR] [--without BINDING]...
//
// FILE is the gateway's configuration; the environment is its variables and secrets. A free loopback port is picked and
// said in one line; records are lines on standard output, everything else goes to standard error. SIGTERM ends it once
// nothing moves any more. A deployment that is refused ends with its diagnostics and 1.

import { readFileSync } from "node:fs";
import net from "node:net";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { Miniflare } from "miniflare";
import { around, build, edgeway } from "./worker.mjs";

// Milliseconds in which nothing must have moved before the end, and after which it comes all the same.
const QUIET = 100;
const LONGEST_END = 5000;
// How long a request that came just before its caller went away has to arrive.
const LAST_BYTES = 20;

const { values: options } = parseArgs({
  options: {
    config: { type: "string" },
    state: { type: "string" },
    suite: { type: "boolean", default: false },
    worker: { type: "string" },
    without: { type: "string", multiple: true, default: [] },
  },
});

const folder = options.worker ? resolve(options.worker) : build(options.suite ? "build-suite" : "build");
const texts = { ...process.env };
if (options.config !== undefined) texts.EDGEWAY_CONFIG = readFileSync(options.config, "utf8");

let lastMove = Date.now();
// The record of the first request, which is the launcher's own, is nobody else's business.
let firstRecord;
const recorded = new Promise((resolve) => (firstRecord = resolve));
function printed({ level, message }) {
  lastMove = Date.now();
  if (level === "log" && firstRecord !== undefined) {
    firstRecord = firstRecord();
    return;
  }
  (level === "log" ? process.stdout : process.stderr).write(`${message}\n`);
}

const runtime = new Miniflare({ ...edgeway(folder, texts, options.without), ...around(options.state, printed) });

// The cloud's front cancels the request of a caller who closes the connection. The runtime by itself cannot tell that
// from one who only has nothing more to say, so this front resets its connection to the runtime.
function front(port) {
  return net.createServer({ allowHalfOpen: true, noDelay: true }, (caller) => {
    const worker = net.connect({ port, host: "127.0.0.1", noDelay: true });
    const gone = () => worker.resetAndDestroy();
    caller.on("data", () => (lastMove = Date.now()));
    worker.on("data", () => (lastMove = Date.now()));
    caller.on("end", () => setTimeout(gone, LAST_BYTES));
    caller.on("error", gone);
    caller.on("close", gone);
    worker.on("error", () => caller.destroy());
    worker.on("close", () => caller.destroy());
    caller.pipe(worker, { end: false });
    worker.pipe(caller);
  });
}

async function end(code) {
  const latest = Date.now() + LONGEST_END;
  while (Date.now() < Math.min(lastMove + QUIET, latest)) await new Promise((resolve) => setTimeout(resolve, 20));
  await runtime.dispose();
  process.exit(code);
}
for (const signal of ["SIGTERM", "SIGINT"]) {
  // Miniflare would end the process at once.
  process.removeAllListeners(signal);
  process.on(signal, () => end(0));
}

try {
  await runtime.ready;
  const { port } = await runtime.unsafeGetDirectURL();
  const url = `http://127.0.0.1:${port}`;
  const ready = await fetch(`${url}/ready`);
  await ready.arrayBuffer();
  if (!ready.ok) await end(1);
  await recorded;
  const server = front(Number(port));
  server.listen(0, "127.0.0.1", () => {
    process.stderr.write(`edgeway listens on http://127.0.0.1:${server.address().port}\n`);
  });
} catch (error) {
  process.stderr.write(`${error?.stack ?? error}\n`);
  process.exit(1);
}
