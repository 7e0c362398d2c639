// Starts a provider on loopback and a real edgeway in front of it, for one test file.
import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../../..");

export const UPSTREAMS = ["openai", "anthropic", "gemini"];
const MODELS = { openai: "gpt-5", anthropic: "claude-sonnet-4-5", gemini: "gemini-2.5-flash" };

/** The model at `upstream` that follows `script`, see mock_provider.py. */
export const named = (upstream, script) => `up-${upstream}/${MODELS[upstream]}@${script}`;

export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const WEATHER = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
export const ANSWER = {
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "integer" } },
  required: ["city", "degrees"],
  additionalProperties: false,
};

function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

function firstLine(child) {
  return new Promise((done, fail) => {
    child.stdout.once("data", (data) => done(String(data)));
    child.once("exit", (code) => fail(new Error(`the mock provider ended with ${code}`)));
  });
}

async function untilReady(url, server, log) {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (server.exitCode !== null) throw new Error(`edgeway ended:\n${log.text}`);
    try {
      if ((await fetch(url + "/ready")).ok) return;
    } catch {
      // Not listening yet.
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error("edgeway did not become ready within 30 s");
}

/** A running gateway: its URL, and how to stop it. */
export async function startGateway() {
  const provider = spawn("python3", [join(root, "tests/sdk/mock_provider.py")], { stdio: ["ignore", "pipe", "inherit"] });
  const upstream = Number((await firstLine(provider)).split(" ")[1]);
  const port = await freePort();
  const config = join(mkdtempSync(join(tmpdir(), "edgeway-")), "edgeway.toml");
  const base = `http://127.0.0.1:${upstream}`;
  const row = (name, url, dialect) =>
    `[providers.up-${name}]\nbase_url = "${base}${url}"\ndialects = ["${dialect}"]\nkey = "UPSTREAM_KEY"\n`;
  writeFileSync(
    config,
    `[server]\nlisten = "127.0.0.1:${port}"\n[auth]\nkeys = ["GATEWAY_KEY"]\n` +
      row("openai", "/openai/v1", "openai_chat") +
      row("anthropic", "/anthropic/v1", "anthropic_messages") +
      row("gemini", "/gemini/v1beta", "gemini"),
  );
  const env = { PATH: process.env.PATH, GATEWAY_KEY: "gateway-key", UPSTREAM_KEY: "upstream-key" };
  const binary = process.env.EDGEWAY_BIN ?? join(root, "target/debug/edgeway");
  const server = spawn(binary, ["serve", "--config", config], { env, stdio: ["ignore", "pipe", "pipe"] });
  const log = { text: "" };
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (data) => (log.text += data));
  const url = `http://127.0.0.1:${port}`;
  await untilReady(url, server, log);
  const stop = async () => {
    const ended = new Promise((done) => server.once("exit", done));
    server.kill("SIGTERM");
    await ended;
    provider.kill("SIGKILL");
  };
  return { url, stop };
}
