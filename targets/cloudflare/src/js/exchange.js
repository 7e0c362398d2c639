// One exchange with a provider: a fetch, its deadlines and its body.
//
// A failure is thrown as a string: `late <phase>` when a deadline passed, `lost <words of the runtime>` otherwise.
// One timer serves all deadlines: it is set anew only when it would ring too late, not for every chunk.

const NEVER = Infinity;
const LONGEST_TIMER = 2 ** 31 - 1;

export class Exchange {
  #abort = new AbortController();
  #head;
  #idle;
  #end;
  #timer = null;
  #rings = NEVER;
  #until = NEVER;
  #phase = "";
  #late = "";
  #response = null;
  #reader = null;

  // Times are milliseconds; `head` covers connecting and the first byte, which fetch does not tell apart.
  constructor(head, idle, total) {
    this.#head = head;
    this.#idle = idle;
    this.#end = Date.now() + total;
  }

  // Sends; resolves to the response's status and header fields, a line each.
  async send(url, method, fields, body, uncached) {
    const init = { method, headers: pairs(fields), body, redirect: "manual", signal: this.#abort.signal };
    if (uncached) init.cf = { cacheTtl: -1 };
    this.#response = await this.#within("first byte", this.#head, fetch(url, init));
    let head = String(this.#response.status);
    for (const [name, value] of this.#response.headers) head += `\n${name}\n${value}`;
    return head;
  }

  // The whole body as one piece.
  async whole() {
    const bytes = await this.#within("idle", this.#idle, this.#response.arrayBuffer());
    this.#over();
    return new Uint8Array(bytes);
  }

  // The next piece of the body, or undefined at its end.
  async read() {
    if (this.#reader === null) {
      if (this.#response.body === null) return undefined;
      this.#reader = this.#response.body.getReader();
    }
    const { done, value } = await this.#within("idle", this.#idle, this.#reader.read());
    if (done) this.#over();
    return value;
  }

  // Closes the exchange, wherever it stands.
  cancel() {
    this.#over();
    this.#abort.abort();
    const body = this.#reader ?? this.#response?.body;
    // It may have failed already.
    body?.cancel().catch(() => {});
  }

  async #within(phase, milliseconds, step) {
    const now = Date.now();
    this.#until = Math.min(now + milliseconds, this.#end);
    this.#phase = this.#until === this.#end ? "total" : phase;
    if (this.#rings > this.#until) this.#set(now);
    try {
      return await step;
    } catch (error) {
      this.#over();
      throw this.#late ? `late ${this.#late}` : `lost ${error}`;
    } finally {
      this.#until = NEVER;
    }
  }

  #set(now) {
    clearTimeout(this.#timer);
    this.#rings = this.#until;
    this.#timer = setTimeout(() => this.#ring(), Math.min(this.#until - now, LONGEST_TIMER));
  }

  #ring() {
    this.#rings = NEVER;
    if (this.#until === NEVER) return;
    const now = Date.now();
    if (now < this.#until) return this.#set(now);
    this.#late = this.#phase;
    this.cancel();
  }

  #over() {
    clearTimeout(this.#timer);
    this.#rings = NEVER;
  }
}

// Lines of names and values as pairs; no header field holds a line end.
function pairs(fields) {
  const lines = fields.split("\n");
  const pairs = [];
  for (let at = 0; at + 1 < lines.length; at += 2) pairs.push([lines[at], lines[at + 1]]);
  return pairs;
}
