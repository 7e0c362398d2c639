// Starts a provider on loopback and a real edgeway in front of it, for one test file.
import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
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

function firstLine(child) {
  return new Promise((done, fail) => {
    child.stdout.once("data", (data) => done(String(data)));
    child.once("exit", (code) => fail(new Error(`the mock provider ended with ${code}`)));
  });
}

/** How the target's gateway is started: as `EDGEWAY_LAUNCHER` says in JSON, else the native server. */
function launcher() {
  const given = process.env.EDGEWAY_LAUNCHER;
  const binary = process.env.EDGEWAY_BIN ?? join(root, "target/debug/edgeway");
  return given ? JSON.parse(given) : { command: [binary, "serve"], environment: [] };
}

/** Where a gateway listens, once it says so. */
function address(server) {
  return new Promise((done, fail) => {
    let log = "";
    const late = setTimeout(() => fail(new Error(`the gateway does not say where it listens:\n${log}`)), 60_000);
    const read = (data) => {
      log = (log + data).slice(-100_000);
      const found = /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(log);
      if (found) done((clearTimeout(late), found[0]));
    };
    for (const stream of [server.stdout, server.stderr]) stream.setEncoding("utf8").on("data", read);
    server.once("exit", (code) => fail(new Error(`the gateway ended with ${code}:\n${log}`)));
  });
}

/** A running gateway: its URL, and how to stop it. */
export async function startGateway() {
  const provider = spawn("python3", [join(root, "tests/sdk/mock_provider.py")], { stdio: ["ignore", "pipe", "inherit"] });
  const upstream = Number((await firstLine(provider)).split(" ")[1]);
  const config = join(mkdtempSync(join(tmpdir(), "edgeway-")), "edgeway.toml");
  const base = `http://127.0.0.1:${upstream}`;
  const row = (name, url, dialect) =>
    `[providers.up-${name}]\nbase_url = "${base}${url}"\ndialects = ["${dialect}"]\nkey = "UPSTREAM_KEY"\n`;
  writeFileSync(
    config,
    `[server]\nlisten = "127.0.0.1:0"\n[auth]\nkeys = ["GATEWAY_KEY"]\n` +
      row("openai", "/openai/v1", "openai_chat") +
      row("anthropic", "/anthropic/v1", "anthropic_messages") +
      row("gemini", "/gemini/v1beta", "gemini"),
  );
  const { command, environment } = launcher();
  const env = { ...Object.fromEntries(environment), GATEWAY_KEY: "gateway-key", UPSTREAM_KEY: "upstream-key" };
  const [program, ...first] = command;
  const server = spawn(program, [...first, "--config", config], { env, cwd: dirname(config), stdio: ["ignore", "pipe", "pipe"] });
  const url = await address(server);
  const stop = async () => {
    const ended = new Promise((done) => server.once("exit", done));
    server.kill("SIGTERM");
    await ended;
    provider.kill("SIGKILL");
  };
  return { url, stop };
}
