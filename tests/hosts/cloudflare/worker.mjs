// The built Worker and its bindings, as Miniflare takes them.

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

// Where a build of the Worker is: `build`, or `build-suite` with the port suites.
export function build(name) {
  return join(here, "../../../targets/cloudflare", name);
}

// One Worker: where it is built, its texts (configuration and secrets), and the bindings that it goes without.
export function edgeway(folder, texts, without = []) {
  const bound = {
    kvNamespaces: { KV: "kv" },
    durableObjects: { CELLS: { className: "CellObject", useSQLite: true } },
    r2Buckets: { BLOBS: "blobs" },
    queueProducers: { EVENTS: { queueName: "events" } },
  };
  for (const bindings of Object.values(bound)) for (const name of without) delete bindings[name];
  return {
    name: "edgeway",
    modules: true,
    modulesRoot: folder,
    scriptPath: join(folder, "index.js"),
    modulesRules: [
      { type: "ESModule", include: ["**/*.js"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    compatibilityDate: "2026-04-01",
    compatibilityFlags: ["enable_request_signal", "global_fetch_strictly_public"],
    bindings: texts,
    ...bound,
    // Straight to the Worker: Miniflare's own front would answer for it and keep its connections.
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  };
}

// The runtime around Workers: where stores are kept (nowhere by default), and who hears what is logged.
export function around(state, printed) {
  return {
    host: "127.0.0.1",
    port: 0,
    cf: false,
    defaultPersistRoot: state && resolve(state),
    structuredWorkerdLogs: true,
    handleStructuredLogs: printed,
  };
}
