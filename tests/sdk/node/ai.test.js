// The Vercel `ai` package, with each of its three providers pointed at the gateway, over every upstream protocol.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import { ANSWER, PNG, named, startGateway, UPSTREAMS, WEATHER } from "./setup.js";

let gateway;
const doors = {};
before(async () => {
  gateway = await startGateway();
  const apiKey = "gateway-key";
  doors.openai = createOpenAI({ baseURL: gateway.url + "/v1", apiKey }).chat;
  doors.anthropic = createAnthropic({ baseURL: gateway.url + "/v1", apiKey });
  doors.google = createGoogleGenerativeAI({ baseURL: gateway.url + "/v1beta", apiKey });
});
after(() => gateway?.stop());

const tools = {
  get_weather: tool({ description: "The weather.", inputSchema: jsonSchema(WEATHER), execute: async ({ city }) => `${city}: 12 degrees` }),
};

for (const door of ["openai", "anthropic", "google"]) {
  for (const upstream of UPSTREAMS) {
    describe(`ai with ${door} over ${upstream}`, () => {
      const model = (script) => doors[door](named(upstream, script));

      test("text", async () => {
        const { text, usage } = await generateText({ model: model("text"), prompt: "Hello there", maxRetries: 0 });
        assert.equal(text, "You said: Hello there");
        assert.ok(usage.outputTokens > 0);
      });

      test("stream", async () => {
        const { textStream } = streamText({ model: model("text"), prompt: "Hello there", maxRetries: 0 });
        let text = "";
        for await (const piece of textStream) text += piece;
        assert.equal(text, "You said: Hello there");
      });

      for (const script of ["tools", "parallel"]) {
        test(`${script} over two steps, streamed`, async () => {
          const result = streamText({ model: model(script), prompt: "What is the weather?", tools, stopWhen: stepCountIs(3), maxRetries: 0 });
          await result.consumeStream();
          assert.match(await result.text, script === "parallel" ? /Paris: 12 degrees.*Berlin: 12 degrees/ : /Paris: 12 degrees/);
        });
      }

      test("tools over two steps, whole", async () => {
        const { text } = await generateText({ model: model("tools"), prompt: "What is the weather?", tools, stopWhen: stepCountIs(3), maxRetries: 0 });
        assert.match(text, /Paris: 12 degrees/);
      });

      test("image", async () => {
        const content = [
          { type: "text", text: "What is this?" },
          { type: "file", mediaType: "image/png", data: Buffer.from(PNG, "base64") },
        ];
        const { text } = await generateText({ model: model("image"), messages: [{ role: "user", content }], maxRetries: 0 });
        assert.equal(text, "image/png of 70 bytes");
      });

      test("structured output", async () => {
        const output = Output.object({ schema: jsonSchema(ANSWER) });
        const result = await generateText({ model: model("json"), prompt: "Paris?", output, maxRetries: 0 });
        assert.deepEqual(result.output, { city: "Paris", degrees: 12 });
      });

      for (const status of [400, 401, 404, 429, 500]) {
        test(`error ${status}`, async () => {
          const call = generateText({ model: model(`error-${status}`), prompt: "hi", maxRetries: 0 });
          await assert.rejects(call, (error) => APICallError.isInstance(error) && Math.floor(error.statusCode / 100) === Math.floor(status / 100));
        });
      }
    });
  }
}
