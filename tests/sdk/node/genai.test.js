// The official `@google/genai` package through every upstream protocol.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ApiError, GoogleGenAI } from "@google/genai";
import { ANSWER, PNG, named, startGateway, UPSTREAMS, WEATHER } from "./setup.js";

let gateway, client;
before(async () => {
  gateway = await startGateway();
  client = new GoogleGenAI({ apiKey: "gateway-key", httpOptions: { baseUrl: gateway.url } });
});
after(() => gateway?.stop());

const tools = [{ functionDeclarations: [{ name: "get_weather", description: "The weather.", parametersJsonSchema: WEATHER }] }];

for (const upstream of UPSTREAMS) {
  describe(`@google/genai over ${upstream}`, () => {
    const model = (script) => named(upstream, script);

    test("text and usage", async () => {
      const answer = await client.models.generateContent({ model: model("text"), contents: "Hello there" });
      assert.equal(answer.text, "You said: Hello there");
      assert.equal(answer.usageMetadata.promptTokenCount, 20);
      assert.equal(answer.usageMetadata.cachedContentTokenCount, 8);
    });

    test("stream", async () => {
      let text = "";
      for await (const chunk of await client.models.generateContentStream({ model: model("text"), contents: "Hello there" })) {
        text += chunk.text ?? "";
      }
      assert.equal(text, "You said: Hello there");
    });

    for (const script of ["tools", "parallel", "thinking-tools"]) {
      for (const streamed of [false, true]) {
        test(`${script} over two turns, ${streamed ? "streamed" : "whole"}`, async () => {
          const config = { tools, ...(script === "thinking-tools" && { thinkingConfig: { thinkingBudget: 2000, includeThoughts: true } }) };
          const contents = [{ role: "user", parts: [{ text: "What is the weather?" }] }];
          const parts = [];
          if (streamed) {
            const stream = await client.models.generateContentStream({ model: model(script), contents, config });
            for await (const chunk of stream) parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
          } else {
            parts.push(...(await client.models.generateContent({ model: model(script), contents, config })).candidates[0].content.parts);
          }
          const calls = parts.filter((part) => part.functionCall).map((part) => part.functionCall);
          assert.deepEqual(calls.map((call) => call.args.city), script === "parallel" ? ["Paris", "Berlin"] : ["Paris"]);
          contents.push({ role: "model", parts });
          const results = calls.map(({ id, name, args }) => ({
            functionResponse: { ...(id && { id }), name, response: { result: `${args.city}: 12 degrees` } },
          }));
          contents.push({ role: "user", parts: results });
          const answer = await client.models.generateContent({ model: model(script), contents, config });
          assert.ok(calls.every((call) => answer.text.includes(`${call.args.city}: 12 degrees`)), answer.text);
        });
      }
    }

    test("image", async () => {
      const contents = [{ role: "user", parts: [{ inlineData: { mimeType: "image/png", data: PNG } }, { text: "What is this?" }] }];
      const answer = await client.models.generateContent({ model: model("image"), contents });
      assert.equal(answer.text, "image/png of 70 bytes");
    });

    test("structured output", async () => {
      const config = { responseMimeType: "application/json", responseJsonSchema: ANSWER };
      const answer = await client.models.generateContent({ model: model("json"), contents: "Paris?", config });
      assert.deepEqual(JSON.parse(answer.text), { city: "Paris", degrees: 12 });
    });

    for (const status of [400, 401, 404, 429, 500, 529]) {
      test(`error ${status}`, async () => {
        const call = client.models.generateContent({ model: model(`error-${status}`), contents: "hi" });
        await assert.rejects(call, (error) => error instanceof ApiError && Math.floor(error.status / 100) === Math.floor(status / 100));
      });
    }

    test("a cut stream throws", async () => {
      const stream = await client.models.generateContentStream({ model: model("cut"), contents: "Hello there" });
      await assert.rejects(async () => {
        for await (const chunk of stream) assert.ok(chunk);
      });
    });
  });
}

test("demo and a wrong key", async () => {
  const answer = await client.models.generateContent({ model: "demo/echo", contents: "one two three" });
  assert.match(answer.text, /one two three/);
  const stranger = new GoogleGenAI({ apiKey: "wrong", httpOptions: { baseUrl: gateway.url } });
  await assert.rejects(stranger.models.generateContent({ model: "demo/echo", contents: "hi" }), ApiError);
});
