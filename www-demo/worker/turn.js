// One turn of a conversation: the model answers, and the conversation's session is told about it
// as it happens. Here is where the demo uses honeyhive-edge on the server.

import { initTracer, newEventId } from "honeyhive-edge";
import { SESSION } from "../session.js";
import { conversationOf, server, ticketFor, ticketForAnswer } from "./conversations.js";
import { eventStream } from "./events.js";
import { connectModel, DEFAULT_MODEL } from "./model.js";
import { startTurn } from "./spans.js";
import { EXPERIMENT, variantFor } from "./variants.js";

/** @typedef {import("./env.js").Env} Env */
/** @typedef {import("./env.js").ExecutionContext} ExecutionContext */
/** @typedef {{ id: string, locale: string, device: string }} Visitor */
/** @typedef {import("honeyhive-edge").Enrichment} Enrichment */

/** A message that begins so fails, to show what a failed turn leaves in the session. */
const FAIL = "/fail";
const NO_MODEL = "no-such-model";

/** How long the page waits to hear that all is stored: longer than the package tries. */
const STORE_LIMIT_MS = 35_000;

/**
 * @param {{ message: string, conversation?: string, visitor: Visitor }} turn Without `conversation` a new one begins.
 * @param {Env} env
 * @param {ExecutionContext} ctx
 * @returns {Promise<Response | undefined>} undefined if there is no such conversation.
 */
export async function answerTurn({ message, conversation: known, visitor }, env, ctx) {
  const before = known === undefined ? undefined : await conversationOf(env, known).load();
  if (known !== undefined && !before) return undefined;

  const id = known ?? crypto.randomUUID();
  const conversation = conversationOf(env, id);
  if (!before) await conversation.begin(visitor.id, Date.now());

  const { variant, prompt, temperature } = variantFor(before?.visitorId ?? visitor.id);
  const model = env.OPENAI_MODEL || DEFAULT_MODEL;
  const start = {
    inputs: { question: message },
    metadata: { status: "started", experiment: EXPERIMENT, variant },
    config: { model, temperature, prompt },
    userProperties: { user_id: visitor.id, locale: visitor.locale, device: visitor.device },
  };
  /** @type {string | undefined} */
  let why;
  const tracer = await initTracer({
    ...server(env),
    ...SESSION,
    onDrop: (lost) => void (why ??= lost.message),
    ...(before ? {} : start),
    sessionId: id,
  });

  const { body, send, end } = eventStream();
  send({ type: "session", sessionId: id, ticket: await ticketFor(id), variant, model });
  if (!before) send({ type: "enriched", fields: start });
  ctx.waitUntil(run().finally(end));
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });

  async function run() {
    const asked = [
      ...(before?.messages ?? []).map(({ role, content }) => ({ role, content })),
      { role: /** @type {const} */ ("user"), content: message },
    ];
    const number = asked.filter(({ role }) => role === "user").length;

    // Each enrichment counts itself, which tells how many went out in one request.
    let said = 0;
    /** @param {Enrichment} fields */
    const enrich = (fields) => {
      said += 1;
      void tracer.enrichSession(fields);
      void tracer.addMetrics({ enrichments: 1 });
      send({ type: "enriched", fields: /** @type {Record<string, unknown>} */ (fields) });
    };
    /** @param {import("./model.js").Used} used */
    const count = async (used) => {
      said += 1;
      void tracer.addMetrics({ ...used, enrichments: 1 });
      send({ type: "counted", metrics: used });
      await conversation.addUsed(used);
    };

    const turn = startTurn(server(env), `turn ${number}`);
    try {
      // Each request has a tracer of its own, so this one is told where the totals stand.
      if (before) void tracer.enrichSession({ metrics: before.totals });
      const desk = connectModel(env, message.startsWith(FAIL) ? NO_MODEL : model);

      enrich({ metadata: { status: "in_progress", workflow_step: "understand", turn: number } });
      const understood = await turn.call(
        "understand",
        { config: { model }, inputs: { question: message } },
        () => desk.topicOf(message),
        ({ topic }) => ({ outputs: { topic } }),
      );
      await count(understood.used);

      enrich({ metadata: { workflow_step: "answer", topic: understood.topic } });
      const startedAt = Date.now();
      let firstWordAt = 0;
      const eventId = newEventId();
      const { answer, used } = await turn.call(
        "answer",
        { eventId, config: { model, temperature, variant }, inputs: { messages: asked.length } },
        () =>
          desk.answer({
            messages: asked,
            prompt,
            temperature,
            onText(text) {
              firstWordAt ||= Date.now();
              send({ type: "text", text });
            },
          }),
        (result) => ({ outputs: { answer: result.answer } }),
      );
      await count(used);

      enrich({
        outputs: { answer, turns: number },
        metrics: {
          first_word_ms: (firstWordAt || Date.now()) - startedAt,
          answer_ms: Date.now() - startedAt,
        },
        metadata: { workflow_step: "wait_for_visitor" },
      });
      await conversation.addMessages([
        asked[asked.length - 1],
        { role: "assistant", content: answer, eventId },
      ]);
      send({
        type: "answer",
        number,
        tokens: understood.used.total_tokens + used.total_tokens,
        costUsd: understood.used.cost_usd + used.cost_usd,
        variant,
        event: { eventId, ticket: await ticketForAnswer(id, eventId) },
      });
      turn.end();
    } catch (error) {
      enrich({ metadata: { status: "failed" }, error: describe(error) });
      send({ type: "failed", message: "The model did not answer. Please try again." });
      turn.end(error);
    }
    await conversation.addUsed({ enrichments: said });
    const report = await tracer.close({ timeoutMs: STORE_LIMIT_MS });
    send({ type: "stored", ...report, ...(why ? { why } : {}) });
    // The page rates an answer once this is over: then its event is there.
    await turn.export();
  }
}

/** @param {unknown} error */
function describe(error) {
  return error instanceof Error
    ? { type: error.constructor.name, message: error.message }
    : { type: typeof error, message: String(error) };
}
