// The official `@anthropic-ai/sdk` package through every upstream protocol.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { ANSWER, PNG, named, startGateway, UPSTREAMS, WEATHER } from "./setup.js";

let gateway, client;
before(async () => {
  gateway = await startGateway();
  client = new Anthropic({ baseURL: gateway.url, apiKey: "gateway-key", maxRetries: 0 });
});
after(() => gateway?.stop());

const tools = [{ name: "get_weather", description: "The weather.", input_schema: WEATHER }];
const user = (content) => [{ role: "user", content }];
const texts = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text);

for (const upstream of UPSTREAMS) {
  describe(`anthropic over ${upstream}`, () => {
    const model = (script) => named(upstream, script);
    const ask = (script, content, more = {}) =>
      client.messages.create({ model: model(script), max_tokens: 4096, messages: user(content), ...more });

    test("text and usage", async () => {
      const answer = await ask("text", "Hello there");
      assert.deepEqual(texts(answer), ["You said: Hello there"]);
      assert.equal(answer.usage.input_tokens, 12);
      assert.equal(answer.usage.cache_read_input_tokens, 8);
      assert.equal(answer.usage.output_tokens, 9);
    });

    test("stream", async () => {
      const stream = client.messages.stream({ model: model("text"), max_tokens: 100, messages: user("Hello there") });
      assert.equal(await stream.finalText(), "You said: Hello there");
    });

    for (const script of ["tools", "parallel", "thinking-tools"]) {
      for (const streamed of [false, true]) {
        test(`${script} over two turns, ${streamed ? "streamed" : "whole"}`, async () => {
          const thinking = script === "thinking-tools" ? { thinking: { type: "enabled", budget_tokens: 2000 } } : {};
          const more = { model: model(script), max_tokens: 4096, tools, ...thinking };
          const messages = user("What is the weather?");
          const first = streamed
            ? await client.messages.stream({ ...more, messages }).finalMessage()
            : await client.messages.create({ ...more, messages });
          const calls = first.content.filter((block) => block.type === "tool_use");
          assert.deepEqual(calls.map((call) => call.input.city), script === "parallel" ? ["Paris", "Berlin"] : ["Paris"]);
          messages.push({ role: "assistant", content: first.content });
          messages.push({
            role: "user",
            content: calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: `${call.input.city}: 12 degrees` })),
          });
          const answer = await client.messages.create({ ...more, messages });
          assert.deepEqual(texts(answer), ["Results: " + calls.map((call) => `${call.input.city}: 12 degrees`).join("; ")]);
        });
      }
    }

    test("image", async () => {
      const image = { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } };
      assert.deepEqual(texts(await ask("image", [image, { type: "text", text: "What is this?" }])), ["image/png of 70 bytes"]);
    });

    test("structured output", async () => {
      const answer = await ask("json", "Paris?", { output_config: { format: { type: "json_schema", schema: ANSWER } } });
      assert.deepEqual(JSON.parse(texts(answer)[0]), { city: "Paris", degrees: 12 });
    });

    for (const [status, wanted] of [
      [400, Anthropic.BadRequestError],
      [401, Anthropic.AuthenticationError],
      [404, Anthropic.NotFoundError],
      [429, Anthropic.RateLimitError],
      [500, Anthropic.InternalServerError],
      [529, Anthropic.InternalServerError],
    ]) {
      for (const stream of [false, true]) {
        test(`error ${status}, ${stream ? "streamed" : "whole"}`, async () => {
          await assert.rejects(ask(`error-${status}`, "hi", { stream }), (error) => error instanceof wanted && error.message.length > 0);
        });
      }
    }

    test("a cut stream throws", async () => {
      const stream = client.messages.stream({ model: model("cut"), max_tokens: 100, messages: user("Hello there") });
      await assert.rejects(stream.finalMessage(), Anthropic.AnthropicError);
    });
  });
}

test("models, demo and a wrong key", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("demo/echo"));
  const answer = await client.messages.create({ model: "demo/echo", max_tokens: 100, messages: user("one two three") });
  assert.match(texts(answer)[0], /one two three/);
  const stranger = new Anthropic({ baseURL: gateway.url, apiKey: "wrong", maxRetries: 0 });
  await assert.rejects(stranger.models.list(), Anthropic.AuthenticationError);
});
