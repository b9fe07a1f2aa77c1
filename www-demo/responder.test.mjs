// The model's stand-in, asked by the real `openai` client: whole and streamed answers, token
// counts, and an error the client understands.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { startResponder } from "./responder.mjs";

/** @type {Awaited<ReturnType<typeof startResponder>>} */
let responder;
/** @type {OpenAI} */
let client;

before(async () => {
  responder = await startResponder();
  client = new OpenAI({ apiKey: "none", baseURL: responder.baseUrl, maxRetries: 0 });
});
after(() => responder.close());

const question = /** @type {const} */ ({ role: "user", content: "How do I ship honey?" });

test("answers whole, with usage that adds up", async () => {
  const { choices, usage, model } = await client.chat.completions.create({
    model: "any-model",
    messages: [question],
  });
  assert.match(choices[0].message.content ?? "", /padded parcel/);
  assert.equal(choices[0].finish_reason, "stop");
  assert.equal(model, "any-model");
  // "How do I ship honey ?" is six, and four for the message's frame.
  assert.equal(usage?.prompt_tokens, 10);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
});

test("streams the same answer in pieces, with usage only where it is asked for", async () => {
  for (const include_usage of [true, false]) {
    const stream = await client.chat.completions.create({
      model: "any-model",
      messages: [question],
      stream: true,
      stream_options: { include_usage },
    });
    const pieces = [];
    let usage;
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) pieces.push(chunk.choices[0].delta.content);
      usage = chunk.usage ?? usage;
    }
    assert.ok(pieces.length > 10);
    assert.match(pieces.join(""), /padded parcel.*we pay the postage\.$/);
    assert.equal(usage?.prompt_tokens, include_usage ? 10 : undefined);
  }
});

test("names the topic in one word when asked to", async () => {
  const { choices } = await client.chat.completions.create({
    model: "any-model",
    messages: [{ role: "system", content: "Name the topic in one word." }, question],
  });
  assert.equal(choices[0].message.content, "shipping");
});

test("refuses a model it does not have the way OpenAI does", async () => {
  const refused = client.chat.completions.create({ model: "no-such-model", messages: [question] });
  await assert.rejects(refused, OpenAI.NotFoundError);
});
