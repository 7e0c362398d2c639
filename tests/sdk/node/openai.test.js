// The official `openai` package through every upstream protocol.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { ANSWER, PNG, named, startGateway, UPSTREAMS, WEATHER } from "./setup.js";

let gateway, client;
before(async () => {
  gateway = await startGateway();
  client = new OpenAI({ baseURL: gateway.url + "/v1", apiKey: "gateway-key", maxRetries: 0 });
});
after(() => gateway?.stop());

const tools = [{ type: "function", function: { name: "get_weather", description: "The weather.", parameters: WEATHER } }];
const user = (content) => [{ role: "user", content }];

for (const upstream of UPSTREAMS) {
  describe(`openai over ${upstream}`, () => {
    const model = (script) => named(upstream, script);

    test("text and usage", async () => {
      const answer = await client.chat.completions.create({ model: model("text"), messages: user("Hello there") });
      assert.equal(answer.choices[0].message.content, "You said: Hello there");
      assert.equal(answer.usage.prompt_tokens, 20);
      assert.equal(answer.usage.completion_tokens, 9);
    });

    test("stream", async () => {
      const stream = await client.chat.completions.create({ model: model("text"), messages: user("Hello there"), stream: true });
      let text = "";
      for await (const chunk of stream) text += chunk.choices[0].delta.content ?? "";
      assert.equal(text, "You said: Hello there");
    });

    for (const script of ["tools", "parallel", "thinking-tools"]) {
      for (const streamed of [false, true]) {
        test(`${script} over two turns, ${streamed ? "streamed" : "whole"}`, async () => {
          const more = { model: model(script), tools, ...(script === "thinking-tools" && { reasoning_effort: "low" }) };
          const messages = user("What is the weather?");
          const completion = streamed
            ? await client.chat.completions.stream({ ...more, messages }).finalChatCompletion()
            : await client.chat.completions.create({ ...more, messages });
          const calls = completion.choices[0].message.tool_calls.map(({ id, function: { name, arguments: text } }) => ({
            id, type: "function", function: { name, arguments: text },
          }));
          const cities = calls.map((call) => JSON.parse(call.function.arguments).city);
          assert.deepEqual(cities, script === "parallel" ? ["Paris", "Berlin"] : ["Paris"]);
          messages.push({ role: "assistant", content: null, tool_calls: calls });
          calls.forEach((call, n) => messages.push({ role: "tool", tool_call_id: call.id, content: `${cities[n]}: 12 degrees` }));
          const answer = await client.chat.completions.create({ ...more, messages });
          assert.equal(answer.choices[0].message.content, "Results: " + cities.map((city) => `${city}: 12 degrees`).join("; "));
        });
      }
    }

    test("image", async () => {
      const content = [
        { type: "text", text: "What is this?" },
        { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
      ];
      const answer = await client.chat.completions.create({ model: model("image"), messages: user(content) });
      assert.equal(answer.choices[0].message.content, "image/png of 70 bytes");
    });

    test("structured output", async () => {
      const response_format = { type: "json_schema", json_schema: { name: "weather", schema: ANSWER, strict: true } };
      const answer = await client.chat.completions.parse({ model: model("json"), messages: user("Paris?"), response_format });
      assert.deepEqual(JSON.parse(answer.choices[0].message.content), { city: "Paris", degrees: 12 });
    });

    for (const [status, wanted] of [
      [400, OpenAI.BadRequestError],
      [401, OpenAI.AuthenticationError],
      [404, OpenAI.NotFoundError],
      [429, OpenAI.RateLimitError],
      [500, OpenAI.InternalServerError],
      [529, OpenAI.InternalServerError],
    ]) {
      for (const stream of [false, true]) {
        test(`error ${status}, ${stream ? "streamed" : "whole"}`, async () => {
          const call = client.chat.completions.create({ model: model(`error-${status}`), messages: user("hi"), stream });
          await assert.rejects(call, (error) => error instanceof wanted && error.message.length > 0);
        });
      }
    }

    test("a cut stream throws", async () => {
      const stream = await client.chat.completions.create({ model: model("cut"), messages: user("Hello there"), stream: true });
      let text = "";
      await assert.rejects(async () => {
        for await (const chunk of stream) text += chunk.choices[0].delta.content ?? "";
      }, OpenAI.APIError);
      assert.ok(text && "You said: Hello there".startsWith(text));
    });
  });
}

test("models, demo and a wrong key", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("demo/echo"));
  const answer = await client.chat.completions.create({ model: "demo/echo", messages: user("one two three") });
  assert.match(answer.choices[0].message.content, /one two three/);
  const stranger = new OpenAI({ baseURL: gateway.url + "/v1", apiKey: "wrong", maxRetries: 0 });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});
