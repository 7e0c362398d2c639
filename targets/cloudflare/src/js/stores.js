// Workers KV, Durable Objects, R2 and Queues, as narrow as the ports that they serve.
//
// Expiries are microseconds since the epoch; they are kept beside the value, because Workers KV rounds them up to a
// minute and R2 has none. Everything that Rust awaits is async, so that what is thrown at once is a rejection as well.

// A value and its expiry, or null.
export async function kvFetch(kv, key) {
  const { value, metadata } = await kv.getWithMetadata(key, "arrayBuffer");
  return value === null ? null : [new Uint8Array(value), metadata?.expires];
}

export async function kvPut(kv, key, value, expires, ttl) {
  return kv.put(key, value, expires === undefined ? {} : { expirationTtl: ttl, metadata: { expires } });
}

export async function kvDelete(kv, key) {
  return kv.delete(key);
}

// The cursor of the next page (undefined at the end), then pairs of keys and expiries.
export async function kvList(kv, prefix, cursor, limit) {
  const page = await kv.list({ prefix, cursor, limit });
  const found = [page.list_complete ? undefined : page.cursor];
  for (const { name, metadata } of page.keys) found.push(name, metadata?.expires);
  return found;
}

// Has a cell run a step: the status of its answer, and the answer.
export async function cellCommand(objects, name, step, command) {
  const cell = objects.get(objects.idFromName(name));
  const response = await cell.fetch(`http://cell/${step}`, { method: "POST", body: command });
  return [response.status, new Uint8Array(await response.arrayBuffer())];
}

// An object's reader and its expiry, or null.
export async function blobFetch(bucket, key) {
  const object = await bucket.get(key);
  return object === null ? null : [object.body.getReader(), expiry(object)];
}

export async function blobPut(bucket, key, bytes, expires) {
  return bucket.put(key, bytes, kept(expires));
}

export async function blobBegin(bucket, key, expires) {
  return bucket.createMultipartUpload(key, kept(expires));
}

export async function blobPart(upload, number, bytes) {
  return upload.uploadPart(number, bytes);
}

export async function blobComplete(upload, parts) {
  return upload.complete(parts);
}

export async function blobAbort(upload) {
  return upload.abort();
}

export async function blobDelete(bucket, key) {
  return bucket.delete(key);
}

// Removes what has expired by `now` from one page of objects; the cursor of the next page, undefined at the end.
export async function blobPurge(bucket, cursor, now) {
  const page = await bucket.list({ cursor, limit: 500, include: ["customMetadata"] });
  const dead = page.objects.filter((object) => expiry(object) <= now).map((object) => object.key);
  if (dead.length > 0) await bucket.delete(dead);
  return page.truncated ? page.cursor : undefined;
}

export async function queueSend(queue, line) {
  return queue.send(line, { contentType: "text" });
}

export function datasetWrite(dataset, index, blobs, doubles) {
  dataset.writeDataPoint({ indexes: [index], blobs, doubles });
}

// A secret of the account's store; null when there is none.
export async function secretFetch(service) {
  return (await service.get()) ?? null;
}

function kept(expires) {
  return expires === undefined ? {} : { customMetadata: { expires: String(expires) } };
}

// Undefined, which no time is past, when the object stays.
function expiry(object) {
  const expires = object.customMetadata?.expires;
  return expires === undefined ? undefined : Number(expires);
}
