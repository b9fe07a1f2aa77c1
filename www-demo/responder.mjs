// A model for the demo where there is no OpenAI key: answers POST /v1/chat/completions the way
// OpenAI does, streamed or whole, with token counts. Its answers are looked up by keyword; it is
// no language model and counts words, not real tokens.

import { createServer } from "node:http";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** Between two streamed words, so that a visitor sees the answer grow. */
const WORD_MS = 12;

/** Refused as OpenAI refuses a model it does not have: what the chat's /fail asks for. */
const UNKNOWN_MODEL = "no-such-model";

const TOPICS = [
  {
    topic: "storage",
    words: /crystal|solid|hard|spoil|keep|store|storage|old/i,
    answer:
      "Crystallised honey is not spoiled: glucose has only come out of solution. Stand the closed jar in water of at most 40 °C until it is clear, and keep it dry and dark.",
  },
  {
    topic: "shipping",
    words: /ship|send|deliver|post|parcel|austria|abroad/i,
    answer:
      "Two 500 g jars travel in one padded parcel. Within the EU it takes three to five days and costs €9.80; from five jars on we pay the postage.",
  },
  {
    topic: "taste",
    words: /taste|flavou?r|recommend|mild|strong|which honey/i,
    answer:
      "Acacia is the mildest and stays liquid; linden is fresh with a hint of mint; forest honey is dark, malty and the least sweet of the three.",
  },
  {
    topic: "beekeeping",
    words: /bee|hive|swarm|queen|smoker|frame/i,
    answer:
      "For a first hive you need ten frames, a smoker, a hive tool and a calm colony in May. Our starter box has everything but the bees.",
  },
];
const OTHER = {
  topic: "other",
  answer:
    "I know about our honeys, how to keep them, shipping, and beekeeping. Which of these is it?",
};
const FRIENDLY_END = "Does that help, or shall I tell you more?";

/** @typedef {{ role: string, content: string }} Message */
/** @typedef {{ prompt_tokens: number, completion_tokens: number, total_tokens: number }} Usage */
/** @typedef {{ model: string, messages: Message[], stream?: boolean, stream_options?: { include_usage?: boolean } }} ChatRequest */

/** @param {string} text */
const countTokens = (text) => text.match(/[\p{L}\p{N}]+|[^\p{L}\p{N}\s]/gu)?.length ?? 0;

/** @param {Message[]} messages */
function reply(messages) {
  const system = messages.find(({ role }) => role === "system")?.content ?? "";
  const question = messages.findLast(({ role }) => role === "user")?.content ?? "";
  const { topic, answer } = TOPICS.find(({ words }) => words.test(question)) ?? OTHER;
  if (/one word/i.test(system)) return topic;
  return /warm/i.test(system) ? `${answer} ${FRIENDLY_END}` : answer;
}

/** @param {ChatRequest} request @param {string} text @returns {Usage} */
function measure(request, text) {
  // Four tokens a message for its frame, about what OpenAI counts.
  const prompt = request.messages.reduce((sum, { content }) => sum + 4 + countTokens(content), 0);
  const completion = countTokens(text);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  };
}

/** @param {import("node:http").IncomingMessage} request */
async function readJson(request) {
  /** @type {Buffer[]} */
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

/** @param {import("node:http").ServerResponse} response @param {number} status @param {object} body */
function sendJson(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/**
 * Starts the responder on a free port of 127.0.0.1.
 *
 * @param {{ onAnswer?: (answer: { usage: Usage, text: string, authorization: string }) => void }} [options]
 *   `onAnswer` hears of each answer given: what the demo's tests hold the stored numbers against.
 * @returns {Promise<{ baseUrl: string, close(): Promise<void> }>} `baseUrl` as OPENAI_BASE_URL takes it.
 */
export async function startResponder({ onAnswer } = {}) {
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      if (response.headersSent) response.destroy();
      else
        sendJson(response, 400, {
          error: { message: String(error), type: "invalid_request_error" },
        });
    });
  });

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async function answer(request, response) {
    if (request.method !== "POST" || request.url !== "/v1/chat/completions") {
      const error = {
        message: `Unknown route ${request.method} ${request.url}`,
        type: "invalid_request_error",
      };
      return sendJson(response, 404, { error });
    }
    /** @type {ChatRequest} */
    const chat = await readJson(request);
    if (chat.model === UNKNOWN_MODEL) {
      const error = {
        message: `The model \`${chat.model}\` does not exist.`,
        type: "invalid_request_error",
        code: "model_not_found",
      };
      return sendJson(response, 404, { error });
    }
    const text = reply(chat.messages);
    const usage = measure(chat, text);
    onAnswer?.({ usage, text, authorization: request.headers.authorization ?? "" });

    const head = {
      id: `chatcmpl-${Date.now().toString(36)}`,
      created: Math.floor(Date.now() / 1000),
      model: chat.model,
    };
    if (!chat.stream) {
      const message = { role: "assistant", content: text, refusal: null };
      const choices = [{ index: 0, message, finish_reason: "stop", logprobs: null }];
      return sendJson(response, 200, { ...head, object: "chat.completion", choices, usage });
    }
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    /** @param {object} chunk */
    const send = (chunk) =>
      response.write(
        `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", ...chunk })}\n\n`,
      );
    for (const word of text.split(/(?<= )/)) {
      send({
        choices: [{ index: 0, delta: { role: "assistant", content: word }, finish_reason: null }],
      });
      await sleep(WORD_MS);
    }
    send({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
    if (chat.stream_options?.include_usage) send({ choices: [], usage });
    response.end("data: [DONE]\n\n");
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
