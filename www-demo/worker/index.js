// The Worker behind the chat page: which request goes where. Answering is in turn.js; the page's way
// to the backend is the package's relay, which takes the tickets that conversations.js issues.

import * as workers from "cloudflare:workers";
import { createConsumer, createRelay } from "honeyhive-edge/relay";
import { SESSION } from "../session.js";
import { endConversation, resumeConversation } from "./conversations.js";
import { answerTurn } from "./turn.js";

export { Conversation } from "./conversation.js";

/** @typedef {import("./env.js").Env} Env */
/** @typedef {import("./env.js").ExecutionContext} ExecutionContext */

/** @type {Env["ENRICHMENTS"]} */
const queue = /** @type {any} */ (workers).env.ENRICHMENTS;

/** Both find key, secret and server in the Worker's environment. */
const relay = createRelay({ ...SESSION, ...(queue ? { queue } : {}) });
const deliver = createConsumer(SESSION);

const LONGEST_MESSAGE = 4000;
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/** 'wasm-unsafe-eval' is what a page has to allow for WebAssembly; it does not allow eval. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export default {
  /** @param {Request} request @param {Env} env @param {ExecutionContext} ctx @returns {Promise<Response>} */
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/honeyhive/")) return relay(request);
    if (pathname === "/api/chat") return chat(request, env, ctx);
    if (pathname === "/api/conversation") return known(request, env, resumeConversation);
    if (pathname === "/api/end") return known(request, env, endConversation);

    const asset = await env.ASSETS.fetch(request);
    const page = new Response(asset.body, asset);
    page.headers.set("content-security-policy", PAGE_POLICY);
    page.headers.set("x-content-type-options", "nosniff");
    return page;
  },

  /** What the relay has stored in the queue, where there is one. @param {import("honeyhive-edge/relay").QueueBatch} batch */
  queue: (batch) => deliver(batch),
};

/** @param {Request} request @param {Env} env @param {ExecutionContext} ctx */
async function chat(request, env, ctx) {
  const body = await readBody(request);
  const message = text(body?.message, LONGEST_MESSAGE);
  if (!message) return refuse(400, `A message has 1 to ${LONGEST_MESSAGE} characters.`);
  const { conversation, visitor } = /** @type {Record<string, any>} */ (body);
  if (conversation !== undefined && !UUID.test(conversation)) return unknownConversation();
  const turn = {
    message,
    conversation,
    visitor: {
      id: text(visitor?.id, 64) ?? "unknown",
      locale: text(visitor?.locale, 35) ?? "unknown",
      device: text(visitor?.device, 35) ?? "unknown",
    },
  };
  return (await answerTurn(turn, env, ctx)) ?? unknownConversation();
}

/**
 * @param {Request} request
 * @param {Env} env
 * @param {(id: string, env: Env) => Promise<Response | undefined>} then
 */
async function known(request, env, then) {
  const conversation = (await readBody(request))?.conversation;
  if (typeof conversation !== "string" || !UUID.test(conversation)) return unknownConversation();
  return (await then(conversation, env)) ?? unknownConversation();
}

/** @param {Request} request @returns {Promise<Record<string, unknown> | undefined>} */
async function readBody(request) {
  if (request.method !== "POST") return undefined;
  const body = await request.json().catch(() => undefined);
  return typeof body === "object" && body !== null ? body : undefined;
}

/** @param {unknown} value @param {number} longest */
function text(value, longest) {
  if (typeof value !== "string") return undefined;
  const trimmed = value.trim();
  return trimmed.length > 0 && trimmed.length <= longest ? trimmed : undefined;
}

const unknownConversation = () => refuse(404, "There is no such conversation. Start a new one.");

/** @param {number} status @param {string} message */
const refuse = (status, message) => Response.json({ message }, { status });
