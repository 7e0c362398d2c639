// Drives one cell of the gateway's own Durable Objects: `/?cell=NAME&count=N&at_once=M` reserves N times, one unit each,
// M at a time, and answers how long that took and how much is charged afterwards.
//
// Commands are those of the program `edgeway-allowance` (core/src/cell/allowance): version, command, limit 1,000,000
// without a window, then id, amount, least amount, a time to live of zero, spent now, nothing settled before.
const LIMIT = number(1_000_000);
const WITHOUT_WINDOW = 0;
const LOOK = Uint8Array.of(1, 0, ...LIMIT, WITHOUT_WINDOW);
const reserve = (id) => Uint8Array.of(1, 1, ...LIMIT, WITHOUT_WINDOW, ...number(id), 1, 1, 0, 0, 0);

function number(value) {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

// The number that begins at `at`.
function read(bytes, at) {
  let value = 0;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
}

export default {
  async fetch(request, env) {
    const asked = new URL(request.url).searchParams;
    const count = Number(asked.get("count"));
    const cell = env.CELLS.get(env.CELLS.idFromName(asked.get("cell")));
    const command = async (body) => {
      const answer = await cell.fetch("http://cell/edgeway-allowance", { method: "POST", body });
      const reply = new Uint8Array(await answer.arrayBuffer());
      if (answer.status !== 200) throw new Error(new TextDecoder().decode(reply));
      return reply;
    };
    let next = 0;
    const lane = async () => {
      while (next < count) await command(reserve(++next));
    };
    await command(LOOK);
    const begun = Date.now();
    await Promise.all(Array.from({ length: Number(asked.get("at_once")) }, lane));
    const milliseconds = Date.now() - begun;
    // A standing: version, kind, what is charged.
    return Response.json({ milliseconds, charged: read(await command(LOOK), 2) });
  },
};
