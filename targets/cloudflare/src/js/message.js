// Requests from callers and responses to them. Heads cross to Rust as one string: a line each for names and values.

// A request's method, URL and header fields.
export function head(request) {
  let head = `${request.method}\n${request.url}`;
  for (const [name, value] of request.headers) head += `\n${name}\n${value}`;
  return head;
}

// A request's whole body.
export async function whole(request) {
  return new Uint8Array(await request.arrayBuffer());
}

// A reader of a request's body; undefined when there is none.
export function reader(request) {
  return request.body?.getReader();
}

// The next piece from a reader; undefined at the end.
export async function next(reader) {
  return (await reader.read()).value;
}

// Resolves when the caller goes away.
export function gone(request) {
  const { signal } = request;
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

// A response; `body` is bytes, a stream or null.
export function respond(status, fields, body) {
  const headers = new Headers();
  const lines = fields.split("\n");
  for (let at = 0; at + 1 < lines.length; at += 2) headers.append(lines[at], lines[at + 1]);
  return new Response(body, { status, headers });
}

// A body that is pulled from `source`, piece by piece.
export function streamed(source) {
  const stream = {
    async pull(controller) {
      const piece = await source.next();
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
    cancel() {
      source.cancel();
    },
  };
  return new ReadableStream(stream, { highWaterMark: 0 });
}
