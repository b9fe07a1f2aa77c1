// What can be done with a conversation beside asking: found, taken up again after a reload, ended.

import { initTracer } from "honeyhive-edge";
import { issueTicket } from "honeyhive-edge/relay";
import { SESSION } from "../session.js";
import { DEFAULT_MODEL } from "./model.js";
import { variantFor } from "./variants.js";

/** @typedef {import("./env.js").Env} Env */

/** @param {Env} env @param {string} id */
export const conversationOf = (env, id) => env.CONVERSATIONS.get(env.CONVERSATIONS.idFromName(id));

/** HoneyHive itself, unless the environment names another server. @param {Env} env */
export const server = (env) => ({
  ...(env.HH_API_KEY ? { apiKey: env.HH_API_KEY } : {}),
  ...(env.HH_API_URL ? { serverUrl: env.HH_API_URL } : {}),
});

/** With it the page rates this one conversation, and writes nothing else of its session. @param {string} sessionId */
export const ticketFor = (sessionId) =>
  issueTicket({ sessionId, fields: ["feedback"], expiresIn: 3600 });

/**
 * With it the page rates one answer: the event that the answer's span makes.
 * @param {string} sessionId
 * @param {string} eventId
 */
export const ticketForAnswer = (sessionId, eventId) =>
  issueTicket({ sessionId, events: [eventId], fields: ["feedback"], expiresIn: 3600 });

/**
 * What a page that was loaded anew goes on with.
 *
 * @param {string} id
 * @param {Env} env
 * @returns {Promise<Response | undefined>} undefined if there is no such conversation.
 */
export async function resumeConversation(id, env) {
  const state = await conversationOf(env, id).load();
  if (!state) return undefined;
  return Response.json({
    sessionId: id,
    ticket: await ticketFor(id),
    variant: variantFor(state.visitorId).variant,
    model: env.OPENAI_MODEL || DEFAULT_MODEL,
    messages: await Promise.all(state.messages.map((message) => withTicket(id, message))),
    totals: state.totals,
    ended: state.ended ?? false,
  });
}

/**
 * @param {string} sessionId
 * @param {import("./conversation.js").Said} message
 */
const withTicket = async (sessionId, { eventId, ...message }) => ({
  ...message,
  ...(eventId ? { event: { eventId, ticket: await ticketForAnswer(sessionId, eventId) } } : {}),
});

/**
 * @param {string} id
 * @param {Env} env
 * @returns {Promise<Response | undefined>} undefined if there is no such conversation.
 */
export async function endConversation(id, env) {
  const conversation = conversationOf(env, id);
  const state = await conversation.load();
  if (!state) return undefined;
  await conversation.end();
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
