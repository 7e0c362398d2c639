// What a deployment is bound to. A kind is told by what a binding can do, not by the name of its class, which
// differs between the runtime, its tests and its versions. A service or a secret of the store answers to every name,
// so it is looked for first.

function kind(value) {
  if (typeof value === "string") return "text";
  if (value === null || typeof value !== "object") return "json";
  const name = value.constructor?.name;
  if (name === "Fetcher") return "service";
  const can = (method) => typeof value[method] === "function";
  if (can("idFromName")) return "objects";
  if (can("createMultipartUpload")) return "bucket";
  if (can("getWithMetadata")) return "kv";
  if (can("sendBatch")) return "queue";
  if (can("writeDataPoint")) return "dataset";
  return name === "Object" || name === "Array" ? "json" : "other";
}

// Triples of name, kind and, for texts and JSON, the text.
export function bindings(env) {
  const found = [];
  for (const name of Object.keys(env)) {
    const is = kind(env[name]);
    const text = is === "text" ? env[name] : is === "json" ? JSON.stringify(env[name]) : "";
    found.push(name, is, text);
  }
  return found;
}
