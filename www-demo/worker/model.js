// The model, through the `openai` client: one question for the topic, one streamed answer, and
// what each of them used. Knows nothing of sessions.

import OpenAI from "openai";
import { respond } from "./responder.js";

/** Answers where the environment names none. */
export const DEFAULT_MODEL = "gpt-4o-mini";

/** US dollars for a million tokens, in and out; a model that is not listed counts as free. */
const PRICES = /** @type {Record<string, { input: number, output: number }>} */ ({
  "gpt-4o-mini": { input: 0.15, output: 0.6 },
  "gpt-4.1-mini": { input: 0.4, output: 1.6 },
  "gpt-4o": { input: 2.5, output: 10 },
});

const DESK = "You are the help desk of a small honey shop.";
const TOPIC_PROMPT = `${DESK} Name the topic of the question in one word: storage, shipping, taste, beekeeping or other.`;

/** @typedef {{ role: "user" | "assistant", content: string }} Message */
/** @typedef {{ model_calls: number, prompt_tokens: number, completion_tokens: number, total_tokens: number, cost_usd: number }} Used */

/** Where the built-in model seems to be: nothing is sent there. */
const NOWHERE = "http://model.invalid/v1";

/** @type {typeof fetch} */
const builtIn = (input, init) => respond(new Request(input, init));

/**
 * @param {{ OPENAI_API_KEY?: string, OPENAI_BASE_URL?: string }} env Without a key the built-in model answers.
 * @param {string} model
 */
export function connectModel({ OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseURL }, model) {
  const client = new OpenAI({
    ...(apiKey
      ? { apiKey, ...(baseURL ? { baseURL } : {}) }
      : { apiKey: "none", baseURL: NOWHERE, fetch: builtIn }),
    // One retry only: a visitor who waits would rather read that it failed.
    maxRetries: 1,
  });

  return {
    /** @param {string} question @returns {Promise<{ topic: string, used: Used }>} */
    async topicOf(question) {
      const completion = await client.chat.completions.create({
        model,
        temperature: 0,
        messages: [
          { role: "system", content: TOPIC_PROMPT },
          { role: "user", content: question },
        ],
      });
      const said = completion.choices[0]?.message.content ?? "";
      return {
        topic: /[a-z]+/.exec(said.toLowerCase())?.[0] ?? "other",
        used: price(model, completion.usage),
      };
    },

    /**
     * The answer, piece by piece, to `onText`; resolves when it is whole.
     *
     * @param {{ messages: Message[], prompt: string, temperature: number, onText: (text: string) => void }} turn
     * @returns {Promise<{ answer: string, used: Used }>}
     */
    async answer({ messages, prompt, temperature, onText }) {
      const stream = await client.chat.completions.create({
        model,
        temperature,
        stream: true,
        stream_options: { include_usage: true },
        messages: [{ role: "system", content: `${DESK} ${prompt}` }, ...messages],
      });
      let answer = "";
      let usage;
      for await (const chunk of stream) {
        usage = chunk.usage ?? usage;
        const text = chunk.choices[0]?.delta.content;
        if (!text) continue;
        answer += text;
        onText(text);
      }
      return { answer, used: price(model, usage) };
    },
  };
}

/**
 * @param {string} model
 * @param {{ prompt_tokens: number, completion_tokens: number, total_tokens: number } | null | undefined} usage
 * @returns {Used}
 */
function price(model, usage) {
  const { prompt_tokens = 0, completion_tokens = 0, total_tokens = 0 } = usage ?? {};
  const { input, output } = PRICES[model] ?? { input: 0, output: 0 };
  const cost_usd = (prompt_tokens * input + completion_tokens * output) / 1_000_000;
  return { model_calls: 1, prompt_tokens, completion_tokens, total_tokens, cost_usd };
}
