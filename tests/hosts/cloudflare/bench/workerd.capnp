# The deployed Worker, one that does nothing, and one that drives a cell, on the runtime alone.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "nothing", worker = .nothing),
    (name = "gateway", worker = .gateway),
    (name = "cells", worker = .cells),
    (name = "internet", network = (allow = ["public", "private"])),
    (name = "state", disk = (path = "state", writable = true)),
  ],
  sockets = [
    (name = "nothing", address = "127.0.0.1:9301", http = (), service = "nothing"),
    (name = "gateway", address = "127.0.0.1:9302", http = (), service = "gateway"),
    (name = "cells", address = "127.0.0.1:9303", http = (), service = "cells"),
  ],
);

const nothing :Workerd.Worker = (
  modules = [(name = "nothing.js", esModule = embed "nothing.js")],
  compatibilityDate = "2026-04-01",
);

const gateway :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "index.js"),
    (name = "index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = "2026-04-01",
  compatibilityFlags = ["enable_request_signal", "global_fetch_strictly_public"],
  bindings = [
    (name = "EDGEWAY_CONFIG", text = embed "edgeway.toml"),
    (name = "CALLER_KEY", text = "bench-caller"),
    (name = "OPENAI_API_KEY", text = "bench-provider"),
    (name = "CELLS", durableObjectNamespace = "CellObject"),
  ],
  durableObjectNamespaces = [(className = "CellObject", uniqueKey = "edgeway-bench", enableSql = true)],
  durableObjectStorage = (localDisk = "state"),
);

const cells :Workerd.Worker = (
  modules = [(name = "cells.js", esModule = embed "cells.js")],
  compatibilityDate = "2026-04-01",
  bindings = [(name = "CELLS", durableObjectNamespace = (className = "CellObject", serviceName = "gateway"))],
);
