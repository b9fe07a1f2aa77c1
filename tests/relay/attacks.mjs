// Ways to get past the relay, each with the status and the sentence with which it is refused. What each
// begins from is a request that would pass; `attack` makes of it one that must not.

import { randomUUID } from "node:crypto";
import { SECRETS, forge, nowSeconds } from "./forge.mjs";

/** @import { Asked } from "./ask.mjs" */

/**
 * @typedef {object} Good
 * @property {string} session
 * @property {string} ticket for its feedback
 * @property {string} origin of the server under attack
 * @property {string} path of the relay
 * @property {Asked & { headers: Record<string, string> }} update
 * @property {Asked & { headers: Record<string, string> }} start
 *
 * @typedef {object} Attack
 * @property {string} name
 * @property {number} status
 * @property {string} code
 * @property {RegExp} says
 * @property {(good: Good) => Asked} attack
 */

/**
 * What the tracer in a page sends.
 * @param {string} origin
 * @param {string} [path] of the relay
 * @returns {Good}
 */
export function good(origin, path = "/honeyhive") {
  const session = randomUUID();
  const ticket = forge({ session });
  const headers = () => ({
    authorization: `Bearer ${ticket}`,
    "content-type": "application/json",
    origin,
  });
  return {
    session,
    ticket,
    origin,
    path,
    update: {
      method: "PUT",
      path: `${path}/v1/events/${session}`,
      headers: headers(),
      body: JSON.stringify({ feedback: { rating: 5 } }),
    },
    start: {
      method: "POST",
      path: `${path}/v1/sessions`,
      headers: headers(),
      body: JSON.stringify({ session_id: session }),
    },
  };
}

const OTHER = "0a0a0a0a-0000-4000-8000-000000000000";

/**
 * @param {Asked & { headers: Record<string, string> }} asked
 * @param {Record<string, string | undefined>} headers undefined: without it
 * @returns {Asked}
 */
function withHeaders(asked, headers) {
  const merged = Object.entries({ ...asked.headers, ...headers });
  return {
    ...asked,
    headers: Object.fromEntries(
      merged.filter(/** @returns {entry is [string, string]} */ (entry) => entry[1] !== undefined),
    ),
  };
}

/**
 * Shows another ticket.
 * @param {(good: Good) => string} ticket
 * @returns {(good: Good) => Asked}
 */
const showing = (ticket) => (from) =>
  withHeaders(from.update, { authorization: `Bearer ${ticket(from)}` });

/**
 * Says something else.
 * @param {unknown} body
 * @returns {(good: Good) => Asked}
 */
const saying = (body) => (from) => ({
  ...from.update,
  body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
});

/**
 * Asks somewhere else.
 * @param {(good: Good) => string} path
 * @param {string} [method]
 * @returns {(good: Good) => Asked}
 */
const asking =
  (path, method = "PUT") =>
  (from) => ({ ...from.update, method, path: path(from) });

/**
 * The ticket with one of its parts changed: prefix, session, fields, end, signature.
 * @param {number} part
 * @param {(was: string) => string} change
 */
const tampered = (part, change) =>
  showing(({ ticket }) => {
    const parts = ticket.split(".");
    parts[part] = change(parts[part] ?? "");
    return parts.join(".");
  });

const base64url = (/** @type {unknown} */ value) =>
  Buffer.from(JSON.stringify(value)).toString("base64url");

const invalid = { status: 401, code: "TICKET_INVALID" };
const session = { status: 403, code: "SESSION_NOT_ALLOWED", says: /for another session/ };
const nowhere = { status: 404, code: "ROUTE_NOT_FOUND", says: /no such address/ };
const method = { status: 405, code: "METHOD_NOT_ALLOWED" };
const type = { status: 415, code: "UNSUPPORTED_MEDIA_TYPE", says: /application\/json/ };
const body = { status: 400, code: "BAD_REQUEST" };
const field = { status: 403, code: "FIELD_NOT_ALLOWED" };
const noField = { ...field, says: /no ticket allows/ };
const large = { status: 413, code: "PAYLOAD_TOO_LARGE", says: /maxBodyBytes/ };
const origin = { status: 403, code: "ORIGIN_NOT_ALLOWED", says: /name it in `origins`/ };
const unsigned = { ...invalid, says: /not made by issueTicket\(\)/ };
const forged = { ...invalid, says: /signature is not right/ };
const missing = { status: 401, code: "TICKET_MISSING", says: /there is no ticket/ };

/** @type {Attack[]} */
export const ATTACKS = [
  // Without a ticket, or with something else in its place.
  {
    name: "no ticket",
    ...missing,
    attack: ({ update }) => withHeaders(update, { authorization: undefined }),
  },
  {
    name: "the ticket as a password",
    ...missing,
    attack: ({ update, ticket }) =>
      withHeaders(update, { authorization: `Basic ${btoa(`ticket:${ticket}`)}` }),
  },
  {
    name: "the ticket in the address",
    ...missing,
    attack: ({ update, ticket }) => ({
      ...withHeaders(update, { authorization: undefined }),
      path: `${update.path}?ticket=${ticket}`,
    }),
  },
  {
    name: "the ticket in a cookie",
    ...missing,
    attack: ({ update, ticket }) =>
      withHeaders(update, { authorization: undefined, cookie: `ticket=${ticket}` }),
  },
  { name: "a key instead of a ticket", ...unsigned, attack: showing(() => "hh_0123456789abcdef") },
  {
    name: "a web token that says it needs no signature",
    ...unsigned,
    attack: showing(
      ({ session: sub }) =>
        `${base64url({ alg: "none", typ: "JWT" })}.${base64url({ sub, fields: ["metadata"] })}.`,
    ),
  },
  {
    name: "two tickets in one header",
    ...unsigned,
    attack: showing(({ ticket }) => `${ticket}, Bearer ${ticket}`),
  },
  {
    name: "a ticket of many megabytes' claim",
    ...unsigned,
    attack: tampered(2, () => "feedback~".repeat(500)),
  },

  // A ticket that was made up or changed.
  {
    name: "a ticket signed with another secret",
    ...forged,
    attack: showing((from) => forge({ session: from.session, secret: SECRETS.foreign })),
  },
  {
    name: "a ticket signed with no secret",
    ...forged,
    attack: showing((from) => forge({ session: from.session, secret: "" })),
  },
  { name: "another session in the ticket", ...forged, attack: tampered(1, () => OTHER) },
  {
    name: "another field in the ticket",
    ...forged,
    attack: tampered(2, () => "metadata~feedback"),
  },
  { name: "a later end in the ticket", ...forged, attack: tampered(3, (end) => `${+end + 9999}`) },
  { name: "a signature of zeros", ...forged, attack: tampered(4, () => "A".repeat(43)) },
  { name: "half a signature", ...unsigned, attack: tampered(4, (was) => was.slice(0, 22)) },
  { name: "no signature", ...unsigned, attack: tampered(4, () => "") },
  {
    name: "the same signature written otherwise",
    ...unsigned,
    // The last letter carries two bits that are not the signature's.
    attack: tampered(4, (was) => {
      const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      return was.slice(0, -1) + letters[letters.indexOf(was.at(-1) ?? "") + 1];
    }),
  },
  {
    name: "a right signature under another version",
    ...unsigned,
    attack: showing((from) => forge({ session: from.session, prefix: "hht0" })),
  },
  {
    name: "a right signature of a field twice",
    ...unsigned,
    attack: showing((from) => forge({ session: from.session, fields: "feedback~feedback" })),
  },
  {
    name: "an expired ticket",
    status: 401,
    code: "TICKET_EXPIRED",
    says: /has expired: ask the server for a new one/,
    attack: showing((from) => forge({ session: from.session, expires: nowSeconds() - 1 })),
  },
  {
    name: "an end beyond all numbers",
    ...unsigned,
    attack: showing((from) => forge({ session: from.session, expires: "99999999999999999999" })),
  },

  // Another session.
  {
    name: "another session's address",
    ...session,
    attack: asking(({ path }) => `${path}/v1/events/${OTHER}`),
  },
  {
    name: "another session behind dots",
    ...session,
    attack: asking((from) => `${from.path}/v1/events/${from.session}/../${OTHER}`),
  },
  {
    name: "another session behind an encoded slash",
    ...session,
    attack: asking((from) => `${from.path}/v1/events/${from.session}%2F..%2F${OTHER}`),
  },
  {
    name: "a name that stands for another session",
    ...session,
    attack: asking((from) => `${from.path}/v1/events/conversation-42`),
  },
  {
    name: "starting another session",
    ...session,
    attack: ({ start }) => ({ ...start, body: JSON.stringify({ session_id: OTHER }) }),
  },
  {
    name: "starting two sessions in one",
    ...body,
    says: /twice/,
    attack: ({ start, session: own }) => ({
      ...start,
      body: `{"session_id":"${own}","session_id":"${own}"}`,
    }),
  },
  {
    name: "another session under an escaped name",
    ...session,
    attack: ({ start, session: own }) => ({
      ...start,
      body: `{"session\\u005fid":"${OTHER}","session_id":"${own}"}`,
    }),
  },
  {
    name: "starting a session of no name",
    ...body,
    says: /id is missing/,
    attack: ({ start }) => ({ ...start, body: "{}" }),
  },
  {
    name: "another session by the older route",
    ...session,
    attack: ({ update, path }) => ({
      ...update,
      path: `${path}/events`,
      body: JSON.stringify({ event_id: OTHER, feedback: { rating: 1 } }),
    }),
  },
  {
    name: "starting another session by the older route",
    ...session,
    attack: ({ start, path }) => ({
      ...start,
      path: `${path}/session/start`,
      body: JSON.stringify({ session: { session_id: OTHER } }),
    }),
  },

  // Another field.
  {
    name: "a field that the ticket does not allow",
    ...field,
    says: /does not allow `metadata`/,
    attack: saying({ feedback: { rating: 5 }, metadata: { plan: "pro" } }),
  },
  {
    name: "that field under an escaped name",
    ...field,
    says: /does not allow `metrics`/,
    attack: saying('{"m\\u0065trics":{"cost":0}}'),
  },
  {
    name: "a field twice",
    ...body,
    says: /twice/,
    attack: saying('{"feedback":{"rating":5},"feedback":{"rating":1}}'),
  },
  { name: "the session's name", ...noField, attack: saying({ session_name: "mine" }) },
  { name: "the session's children", ...noField, attack: saying({ children_ids: [OTHER] }) },
  { name: "another event beside the address", ...noField, attack: saying({ event_id: OTHER }) },
  { name: "a key that is no field", ...noField, attack: saying('{"__proto__":{"feedback":{}}}') },
  {
    name: "describing the session at its start",
    ...noField,
    attack: ({ start, session: own }) => ({
      ...start,
      body: JSON.stringify({ session_id: own, source: "production" }),
    }),
  },
  {
    name: "another project by the older route",
    ...noField,
    attack: ({ start, session: own, path }) => ({
      ...start,
      path: `${path}/session/start`,
      body: JSON.stringify({ session: { session_id: own, project: "other" } }),
    }),
  },

  // Another route or method.
  {
    name: "HoneyHive's other routes",
    ...nowhere,
    attack: asking(({ path }) => `${path}/v1/projects`),
  },
  {
    name: "its route for spans",
    ...nowhere,
    attack: asking(({ path }) => `${path}/opentelemetry/v1/traces`, "POST"),
  },
  {
    name: "reading the session",
    ...nowhere,
    attack: asking((from) => `${from.path}/v1/sessions/${from.session}`),
  },
  {
    name: "out of the relay by dots",
    ...nowhere,
    attack: asking(({ path }) => `${path}/../v1/sessions`, "POST"),
  },
  {
    name: "a second slash",
    ...nowhere,
    attack: asking((from) => `${from.path}//v1/events/${from.session}`),
  },
  {
    name: "listing sessions",
    ...method,
    says: /for POST/,
    attack: ({ start }) => ({ ...start, method: "GET", body: undefined }),
  },
  {
    name: "deleting the session",
    ...method,
    says: /for PUT/,
    attack: asking(({ update }) => update.path, "DELETE"),
  },
  {
    name: "another method by a header",
    ...method,
    says: /for PUT/,
    attack: ({ update }) => ({
      ...withHeaders(update, { "x-http-method-override": "PUT" }),
      method: "POST",
    }),
  },

  // Another kind of body.
  {
    name: "a form's type, which no browser asks about",
    ...type,
    attack: ({ update }) => withHeaders(update, { "content-type": "text/plain" }),
  },
  {
    name: "no type",
    ...type,
    attack: ({ update }) => withHeaders(update, { "content-type": undefined }),
  },
  {
    name: "another alphabet",
    ...type,
    attack: ({ update }) =>
      withHeaders(update, { "content-type": "application/json; charset=utf-16" }),
  },
  {
    name: "a compressed body",
    ...type,
    says: /content-encoding is not supported/,
    attack: ({ update }) => withHeaders(update, { "content-encoding": "gzip" }),
  },
  {
    name: "a body over the limit",
    ...large,
    attack: saying({ feedback: { text: "x".repeat(102_400) } }),
  },
  {
    name: "a body over the limit whose length is not announced",
    ...large,
    attack: ({ update }) => ({
      ...update,
      body: undefined,
      chunks: [
        '{"feedback":{"text":"',
        ...Array.from({ length: 20 }, () => "x".repeat(8192)),
        '"}}',
      ],
    }),
  },
  { name: "no body", ...body, says: /body is missing/, attack: saying("") },
  { name: "no JSON", ...body, says: /an object in JSON/, attack: saying("feedback=5") },
  { name: "a list", ...body, says: /an object in JSON/, attack: saying([{ feedback: {} }]) },
  { name: "two bodies in one", ...body, says: /an object in JSON/, attack: saying("{}{}") },
  {
    name: "bytes that are no text",
    ...body,
    says: /UTF-8/,
    attack: saying(Buffer.from('{"feedback":{"a":"\xff"}}', "latin1")),
  },
  {
    name: "a field that is no object",
    ...body,
    says: /must be objects/,
    attack: saying({ feedback: 5 }),
  },
  {
    name: "a body nested very deep",
    ...body,
    says: /nested deeper/,
    attack: saying(`{"feedback":{"a":${"[".repeat(5000)}${"]".repeat(5000)}}}`),
  },

  // A page of somebody else's.
  {
    name: "a foreign page",
    ...origin,
    attack: ({ update }) => withHeaders(update, { origin: "https://evil.example" }),
  },
  {
    name: "a page without an origin of its own",
    ...origin,
    attack: ({ update }) => withHeaders(update, { origin: "null" }),
  },
  {
    name: "an origin that begins like the relay's",
    ...origin,
    attack: (from) => withHeaders(from.update, { origin: `${from.origin}.evil.example` }),
  },
  {
    name: "an origin that ends like an allowed one",
    ...origin,
    attack: ({ update }) => withHeaders(update, { origin: "https://evil-blog.example" }),
  },
  {
    name: "a foreign page that says it came by a proxy",
    ...origin,
    attack: ({ update }) =>
      withHeaders(update, {
        origin: "https://evil.example",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        forwarded: "host=evil.example",
      }),
  },
  {
    name: "a foreign page's preflight",
    ...origin,
    attack: ({ update }) => ({
      method: "OPTIONS",
      path: update.path,
      headers: { origin: "https://evil.example", "access-control-request-method": "PUT" },
    }),
  },
];
