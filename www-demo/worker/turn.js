// One turn of a conversation: the model answers, and the conversation's session is told about it
// as it happens. Here is where the demo uses honeyhive-edge on the server.

import { initTracer } from "honeyhive-edge";
import { issueTicket } from "honeyhive-edge/relay";
import { SESSION } from "../session.js";
import { eventStream } from "./events.js";
import { connectModel } from "./model.js";
import { EXPERIMENT, variantFor } from "./variants.js";

/** @typedef {import("./env.js").Env} Env */
/** @typedef {import("./env.js").ExecutionContext} ExecutionContext */
/** @typedef {{ id: string, locale: string, device: string }} Visitor */
/** @typedef {import("honeyhive-edge").Enrichment} Enrichment */

/** A message that begins so fails, to show what a failed turn leaves in the session. */
const FAIL = "/fail";
const NO_MODEL = "no-such-model";

/** @param {Env} env @param {string} id */
const conversationOf = (env, id) => env.CONVERSATIONS.get(env.CONVERSATIONS.idFromName(id));

/** @param {Env} env */
const server = (env) => ({ apiKey: env.HH_API_KEY, serverUrl: env.HH_API_URL });

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
  const model = env.OPENAI_MODEL;
  const start = {
    inputs: { question: message },
    metadata: { status: "started", experiment: EXPERIMENT, variant },
    config: { model, temperature, prompt },
    userProperties: { user_id: visitor.id, locale: visitor.locale, device: visitor.device },
  };
  const tracer = await initTracer({
    ...server(env),
    ...SESSION,
    ...(before ? {} : start),
    sessionId: id,
  });

  // With it the page rates this one conversation, and writes nothing else of its session.
  const ticket = await issueTicket({ sessionId: id, fields: ["feedback"], expiresIn: 3600 });

  const { body, send, end } = eventStream();
  send({ type: "session", sessionId: id, ticket, variant, model });
  if (!before) send({ type: "enriched", fields: start });
  ctx.waitUntil(run().finally(end));
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });

  async function run() {
    const asked = [
      ...(before?.messages ?? []),
      { role: /** @type {const} */ ("user"), content: message },
    ];
    const number = asked.filter(({ role }) => role === "user").length;

    /** @param {Enrichment} fields */
    const enrich = (fields) => {
      void tracer.enrichSession(fields);
      send({ type: "enriched", fields: /** @type {Record<string, unknown>} */ (fields) });
    };
    /** @param {import("./model.js").Used} used */
    const count = async (used) => {
      void tracer.addMetrics(used);
      send({ type: "counted", metrics: used });
      await conversation.addUsed(used);
    };

    try {
      // Each request has a tracer of its own, so this one is told where the totals stand.
      if (before?.totals.model_calls) void tracer.enrichSession({ metrics: before.totals });
      const desk = connectModel(env, message.startsWith(FAIL) ? NO_MODEL : model);

      enrich({ metadata: { status: "in_progress", workflow_step: "understand", turn: number } });
      const understood = await desk.topicOf(message);
      await count(understood.used);

      enrich({ metadata: { workflow_step: "answer", topic: understood.topic } });
      const startedAt = Date.now();
      let firstWordAt = 0;
      const { answer, used } = await desk.answer({
        messages: asked,
        prompt,
        temperature,
        onText(text) {
          firstWordAt ||= Date.now();
          send({ type: "text", text });
        },
      });
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
        { role: "assistant", content: answer },
      ]);
      send({
        type: "answer",
        number,
        tokens: understood.used.total_tokens + used.total_tokens,
        costUsd: understood.used.cost_usd + used.cost_usd,
      });
    } catch (error) {
      enrich({ metadata: { status: "failed" }, error: describe(error) });
      send({ type: "failed", message: "The model did not answer. Please try again." });
    }
    send({ type: "stored", ...(await tracer.close()) });
  }
}

/**
 * @param {string} id
 * @param {Env} env
 * @returns {Promise<Response | undefined>} undefined if there is no such conversation.
 */
export async function endConversation(id, env) {
  const state = await conversationOf(env, id).load();
  if (!state) return undefined;
  const tracer = await initTracer({ ...server(env), ...SESSION, sessionId: id });
  const endTime = Date.now();
  const fields = {
    metadata: { status: "completed", workflow_step: "done" },
    endTime,
    duration: endTime - state.startedAt,
  };
  const delivery = await tracer.enrichSession(fields);
  await tracer.close();
  return Response.json({ fields, delivery });
}

/** @param {unknown} error */
function describe(error) {
  return error instanceof Error
    ? { type: error.constructor.name, message: error.message }
    : { type: typeof error, message: String(error) };
}
