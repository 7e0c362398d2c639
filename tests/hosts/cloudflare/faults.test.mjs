// What becomes of a deployment whose bindings are missing, wrong or away, and of a cell whose process is killed.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Miniflare } from "miniflare";
import { around, build, edgeway } from "./worker.mjs";

const SOUND = { EDGEWAY_CONFIG: '[auth]\nkeys = ["KEY"]\n', KEY: "abc" };
const running = new Set();
after(() => Promise.all([...running].map((runtime) => runtime.dispose())));

// Starts the Worker, with others beside it; gives its address and what it says.
async function start({ texts = SOUND, without, state, bound = {}, beside = [] } = {}) {
  const said = [];
  const worker = { ...edgeway(build("build"), texts, without), ...bound };
  const runtime = new Miniflare({ ...around(state, ({ message }) => void said.push(message)), workers: [worker, ...beside] });
  running.add(runtime);
  await runtime.ready;
  const { port } = await runtime.unsafeGetDirectURL("edgeway");
  return { runtime, url: `http://127.0.0.1:${port}`, said };
}

function chat(url, path = "/v1/chat/completions", more = {}) {
  const body = { model: "demo/echo", max_tokens: 9, messages: [{ role: "user", content: "hi" }], ...more };
  const headers = { authorization: "Bearer abc", "content-type": "application/json" };
  return fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
}

// Waits until something was said that matches.
async function heard(said, pattern) {
  for (let turns = 0; turns < 200; turns++) {
    const line = said.find((line) => pattern.test(line));
    if (line !== undefined) return line;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`nobody said ${pattern}: ${said.join("\n")}`);
}

test("a deployment without stores serves, and says which bindings are missing and how to create them", async () => {
  const { url, said } = await start({ without: ["KV", "CELLS", "BLOBS", "EVENTS"] });
  assert.equal((await chat(url)).status, 200);
  await heard(said, /no binding `KV` \(a KV namespace\).*wrangler kv namespace create KV/s);
  await heard(said, /no binding `CELLS` \(a Durable Object namespace\).*new_sqlite_classes = \["CellObject"\]/s);
});

test("a binding of the wrong kind is named to every caller, in the caller's protocol, and the isolate lives", async () => {
  const { url, said } = await start({ texts: { ...SOUND, KV: "not a namespace" }, without: ["KV"] });
  const advice = /the binding `KV` is a variable or secret, it must be a KV namespace.*wrangler kv namespace create KV/s;
  const openai = await chat(url);
  assert.equal(openai.status, 503);
  const { error } = await openai.json();
  assert.match(error.message, advice);
  const anthropic = await (await chat(url, "/v1/messages")).json();
  assert.equal(anthropic.type, "error");
  assert.match(anthropic.error.message, advice);
  const gemini = await (await chat(url, "/v1beta/models/demo%2Fecho:generateContent")).json();
  assert.match(gemini.error.message, advice);
  assert.equal(gemini.error.code, 503);
  assert.equal((await fetch(`${url}/ready`)).status, 503);
  const health = await fetch(`${url}/health`);
  assert.equal(health.status, 200);
  assert.deepEqual(await health.json(), { status: "misconfigured" });
  await heard(said, advice);
});

test("a secret that is not set is named with the command that sets it", async () => {
  const { url, said } = await start({ texts: { EDGEWAY_CONFIG: '[auth]\nkeys = ["MISSING_KEY"]\n' } });
  const refused = await chat(url);
  assert.equal(refused.status, 503);
  assert.match((await refused.json()).error.message, /MISSING_KEY.*wrangler secret put MISSING_KEY/s);
  await heard(said, /wrangler secret put MISSING_KEY/);
});

test("all that is wrong with a configuration is in the log, and none of it ends the isolate", async () => {
  const { url, said } = await start({ texts: { EDGEWAY_CONFIG: "[routes.a]\nmodles = 1\n[server]\nmax_body = -1\n" } });
  for (let turn = 0; turn < 3; turn++) assert.equal((await chat(url)).status, 503);
  const log = await heard(said, /errors/);
  assert.match(log, /modles/);
  assert.match(log, /max_body/);
});

// A store that is bound and answers nothing: its methods throw.
function away(name, methods) {
  const body = methods.map((method) => `${method}() { throw new Error("the store is away"); }`).join(", ");
  const contents = `export default () => ({ ${body} });`;
  return { name, modules: [{ type: "ESModule", path: "index.mjs", contents }] };
}

test("stores that are away stop no request: file and bindings are served, and the log says why", async () => {
  const { url, said } = await start({
    without: ["KV", "CELLS", "EVENTS"],
    bound: { wrappedBindings: { KV: "kv-away", CELLS: "cells-away", EVENTS: "queue-away" } },
    beside: [
      away("kv-away", ["getWithMetadata", "put", "list", "delete"]),
      away("cells-away", ["idFromName", "get"]),
      away("queue-away", ["send", "sendBatch"]),
    ],
  });
  const answered = await chat(url);
  assert.equal(answered.status, 200, said.join("\n"));
  assert.match((await answered.json()).choices[0].message.content, /hi/);
  await heard(said, /config_unreadable.*the store is away/);
  const record = JSON.parse(await heard(said, /"outcome"/));
  assert.equal(record.outcome, "complete");
});

// A Worker that sends a cell's commands: `POST /CELL`, the body is the command; the answer is the reply.
const driver = {
  name: "driver",
  modules: [
    {
      type: "ESModule",
      path: "index.mjs",
      contents: `export default { async fetch(request, env) {
        const cell = env.CELLS.get(env.CELLS.idFromName(new URL(request.url).pathname));
        return cell.fetch("http://cell/edgeway-allowance", { method: "POST", body: await request.arrayBuffer() });
      } };`,
    },
  ],
  durableObjects: { CELLS: { className: "CellObject", scriptName: "edgeway", useSQLite: true } },
  unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
};

// Commands and replies of `edgeway-allowance` (core/src/cell/allowance): a limit of 100, no window.
const LOOK = [1, 0, 100, 0];
const reserve = (id, amount, seconds) => [1, 1, 100, 0, id, amount, amount, ...number(seconds * 1e6), 0, 0];
const settle = (id, actual) => [1, 2, id, actual];
const [STANDING, GRANTED, SETTLED, GONE] = [0, 1, 3, 4];

function number(value) {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

async function ask(runtime, command) {
  const { port } = await runtime.unsafeGetDirectURL("driver");
  const answer = await fetch(`http://127.0.0.1:${port}/budget`, { method: "POST", body: Uint8Array.from(command) });
  const reply = new Uint8Array(await answer.arrayBuffer());
  assert.equal(answer.status, 200, new TextDecoder().decode(reply));
  return [...reply].slice(1);
}

test("a cell outlives its process: what was reserved stays charged, is settled once, and expires as charged", async () => {
  const state = mkdtempSync(join(tmpdir(), "edgeway-faults-"));
  try {
    const before = await start({ state, beside: [driver] });
    assert.equal((await ask(before.runtime, reserve(1, 10, 3600)))[0], GRANTED);
    assert.equal((await ask(before.runtime, reserve(2, 5, 0.001)))[0], GRANTED);
    // Miniflare kills the runtime with SIGKILL: nothing is said to the object.
    running.delete(before.runtime);
    await before.runtime.dispose();

    const { runtime } = await start({ state, beside: [driver] });
    const standing = async () => (await ask(runtime, LOOK)).slice(0, 5);
    assert.deepEqual(await standing(), [STANDING, 15, 0, 85, 1], "both are charged, and one is open");
    assert.equal((await ask(runtime, settle(2, 0)))[0], GONE, "what has expired is not given back");
    assert.equal((await ask(runtime, settle(1, 7)))[0], SETTLED);
    assert.deepEqual(await standing(), [STANDING, 12, 0, 88, 0]);
    assert.equal((await ask(runtime, settle(1, 0)))[0], GONE, "nothing is settled twice");
    assert.deepEqual(await standing(), [STANDING, 12, 0, 88, 0]);
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
});
