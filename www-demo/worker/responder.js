// A model for the demo where there is no OpenAI key: answers POST …/chat/completions the way OpenAI
// does, streamed or whole, with token counts. Its answers are looked up by keyword; it is no language
// model and counts words, not real tokens. Request in, Response out, no network: the OpenAI client takes
// it for its `fetch`.

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

/** @param {string} message @param {string} [code] */
function notFound(message, code) {
  const error = { message, type: "invalid_request_error", ...(code ? { code } : {}) };
  return Response.json({ error }, { status: 404 });
}

/** @typedef {{ usage: Usage, text: string, authorization: string }} Answered */

/**
 * @param {Request} request
 * @param {(answer: Answered) => void} [onAnswer] hears of each answer given
 * @returns {Promise<Response>}
 */
export async function respond(request, onAnswer = () => {}) {
  const { pathname } = new URL(request.url);
  if (request.method !== "POST" || !pathname.endsWith("/chat/completions")) {
    return notFound(`Unknown route ${request.method} ${pathname}`);
  }
  /** @type {ChatRequest} */
  const chat = await request.json();
  if (chat.model === UNKNOWN_MODEL) {
    return notFound(`The model \`${chat.model}\` does not exist.`, "model_not_found");
  }
  const text = reply(chat.messages);
  const usage = measure(chat, text);
  onAnswer({ usage, text, authorization: request.headers.get("authorization") ?? "" });

  const head = {
    id: `chatcmpl-${Date.now().toString(36)}`,
    created: Math.floor(Date.now() / 1000),
    model: chat.model,
  };
  if (!chat.stream) {
    const message = { role: "assistant", content: text, refusal: null };
    const choices = [{ index: 0, message, finish_reason: "stop", logprobs: null }];
    return Response.json({ ...head, object: "chat.completion", choices, usage });
  }
  return new Response(stream(head, text, chat.stream_options?.include_usage ? usage : undefined), {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
}

/**
 * @param {object} head
 * @param {string} text
 * @param {Usage | undefined} usage
 */
function stream(head, text, usage) {
  const encoder = new TextEncoder();
  const chunks = [
    ...text.split(/(?<= )/).map((word) => ({
      choices: [{ index: 0, delta: { role: "assistant", content: word }, finish_reason: null }],
    })),
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
    ...(usage ? [{ choices: [], usage }] : []),
  ];
  return new ReadableStream({
    async pull(controller) {
      const chunk = chunks.shift();
      const data = chunk
        ? JSON.stringify({ ...head, object: "chat.completion.chunk", ...chunk })
        : "[DONE]";
      controller.enqueue(encoder.encode(`data: ${data}\n\n`));
      if (!chunk) return controller.close();
      await new Promise((resolve) => setTimeout(resolve, WORD_MS));
    },
  });
}
