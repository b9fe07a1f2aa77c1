// Faults that can be switched on: which rule fires for a request, and what it then answers. Rules
// are tried in their order, the first that fires wins. Cutting a connection is the server's part;
// here is only said when.

import * as v from "valibot";
import { errorBody } from "./errors.js";

/** The longest a timer runs: 24 days. One that is set for longer fires at once. */
export const LONGEST_MS = 2 ** 31 - 1;

const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const milliseconds = v.pipe(v.number(), v.minValue(0), v.maxValue(LONGEST_MS));

const ruleFields = v.strictObject({
  // What is left out matches all. Without a method, writes (POST, PUT) alone are hit, so that
  // reading back and preflights go on; to hit those, name GET or OPTIONS.
  match: v.optional(
    v.strictObject({
      method: v.optional(v.pipe(v.string(), v.toUpperCase())),
      path: v.optional(v.string()), // a prefix
      session: v.optional(v.string()),
      key: v.optional(v.string()),
    }),
    {},
  ),

  // When: after `skip` matching requests, at most `times` times, each time with `probability`.
  skip: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
  times: v.optional(count), // no end to it unless given
  probability: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 1),

  // Waits so long, or between the two, before all else; with `stored`, after storing. Who leaves
  // during a wait before storing has nothing stored.
  delayMs: v.optional(v.union([milliseconds, v.tuple([milliseconds, milliseconds])]), 0),

  // Carries the request out before the fault: the client sees a failure, yet all is stored.
  stored: v.optional(v.boolean(), false),

  // An answer of the rule's own.
  status: v.optional(v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599))),
  headers: v.optional(v.record(v.string(), v.string()), {}),
  body: v.optional(v.unknown()), // a string as it is, anything else as JSON
  html: v.optional(v.union([v.boolean(), v.string()]), false),
  redirect: v.optional(v.string()), // a Location, with 307 unless `status` says otherwise
  retryAfter: v.optional(v.union([v.number(), v.string()])), // seconds, or any text as it is
  retryAfterDate: v.optional(v.number()), // seconds from now, sent as an HTTP-date
  cors: v.optional(v.boolean(), true), // false: as a proxy answers that knows nothing of CORS

  // What becomes of the connection. "after" and "mid-body" come after storing.
  cut: v.optional(v.picklist(["before", "after", "mid-body"])),
  hang: v.optional(v.boolean(), false), // never answers
  trickle: v.optional(v.strictObject({ bytes: count, everyMs: milliseconds })), // a slow body
});

/** @typedef {v.InferOutput<typeof ruleFields>} Rule */

// Headers that HTTP forbids show here, not when the rule fires.
const rule = v.pipe(ruleFields, v.check(isAnswerable, "has headers that cannot be sent"));

/** Body of PUT /_local/faults; a bare list of rules stands for {rules}. */
export const faultsSchema = v.strictObject({
  seed: v.optional(v.number(), 1),
  rules: v.array(rule),
});

/**
 * @typedef {object} Fault a rule that fired
 * @property {Rule} rule
 * @property {number} index
 * @property {number} delayMs
 * @property {boolean} carriesOut whether the request reaches its route
 */

/** @param {v.InferOutput<typeof faultsSchema>} set */
export function faults({ seed, rules }) {
  // A generator for each rule: what one draws does not shift what another draws.
  const states = rules.map((each, index) => ({
    rule: each,
    random: generator(seed + index * 0x9e3779b9),
    matched: 0,
    fired: 0,
  }));

  return {
    /**
     * @param {{method: string, path: string, session: string | null, key: string | null}} request
     * @returns {Fault | undefined}
     */
    choose(request) {
      for (const [index, state] of states.entries()) {
        if (state.fired >= (state.rule.times ?? Infinity) || !matches(state.rule.match, request))
          continue;
        state.matched += 1;
        if (state.matched <= state.rule.skip) continue;
        if (state.rule.probability < 1 && state.random() >= state.rule.probability) continue;
        state.fired += 1;
        return {
          rule: state.rule,
          index,
          delayMs: pick(state.rule.delayMs, state.random),
          carriesOut: carriesOut(state.rule),
        };
      }
      return undefined;
    },

    stats: () => states.map(({ rule: each, matched, fired }) => ({ rule: each, matched, fired })),
  };
}

/**
 * @param {Rule["match"]} match
 * @param {{method: string, path: string, session: string | null, key: string | null}} request
 */
function matches(match, { method, path, session, key }) {
  return (
    (match.method === undefined
      ? method === "POST" || method === "PUT"
      : match.method === method) &&
    (match.path === undefined || path.startsWith(match.path)) &&
    (match.session === undefined || match.session === session) &&
    (match.key === undefined || match.key === key)
  );
}

/** @param {Rule} each */
function carriesOut(each) {
  if (each.stored || each.cut === "after") return true;
  return !hasAnswer(each) && !each.hang && each.cut !== "before";
}

/**
 * Whether the rule brings an answer of its own.
 * @param {Rule} each
 */
export function hasAnswer(each) {
  return (
    each.status !== undefined ||
    each.body !== undefined ||
    each.html !== false ||
    each.redirect !== undefined ||
    each.retryAfter !== undefined ||
    each.retryAfterDate !== undefined
  );
}

/** @param {Rule} each */
function isAnswerable(each) {
  try {
    answerOf(each, 0);
    return true;
  } catch {
    return false;
  }
}

/** Statuses that have no body. */
const bodiless = new Set([204, 205, 304]);

/**
 * @param {Rule} each one that has an answer
 * @param {number} now Unix milliseconds
 * @returns {Response}
 */
export function answerOf(each, now) {
  const headers = new Headers();
  if (each.cors) headers.set("access-control-allow-origin", "*");
  if (each.redirect !== undefined) headers.set("location", each.redirect);
  if (each.retryAfter !== undefined) headers.set("retry-after", String(each.retryAfter));
  if (each.retryAfterDate !== undefined) {
    // An HTTP-date knows whole seconds only: rounded up, lest it promise too early.
    const at = Math.ceil(now / 1000 + each.retryAfterDate) * 1000;
    headers.set("retry-after", new Date(at).toUTCString());
  }
  const status = each.status ?? (each.redirect === undefined ? defaultStatus(each) : 307);
  const [type, text] = content(each, status);
  if (type !== null) headers.set("content-type", type);
  for (const [name, value] of Object.entries(each.headers)) headers.set(name, value);
  return new Response(bodiless.has(status) ? null : text, { status, headers });
}

/** @param {Rule} each */
const defaultStatus = (each) =>
  each.retryAfter === undefined && each.retryAfterDate === undefined ? 200 : 503;

/**
 * @param {Rule} each
 * @param {number} status
 * @returns {[type: string | null, text: string | null]}
 */
function content(each, status) {
  if (each.html !== false) {
    const page = each.html === true ? htmlPage(`${status}`) : each.html;
    return ["text/html; charset=utf-8", page];
  }
  if (typeof each.body === "string") return ["application/json", each.body];
  if (each.body !== undefined) return ["application/json", JSON.stringify(each.body)];
  if (status < 400) return [null, null];
  return ["application/json", JSON.stringify(errorBody(status, "FAULT", "A fault of the test's."))];
}

/**
 * What a proxy answers in place of the backend.
 * @param {string} title
 */
export function htmlPage(title) {
  return `<!doctype html><html><head><title>${title}</title></head><body><h1>${title}</h1><hr>proxy</body></html>`;
}

/**
 * @param {number | [number, number]} delay milliseconds
 * @param {() => number} random
 */
function pick(delay, random) {
  return typeof delay === "number" ? delay : delay[0] + random() * (delay[1] - delay[0]);
}

/**
 * mulberry32 (Tommy Ettinger): small, and good enough to tell one request in three.
 * @param {number} seed
 * @returns {() => number} from 0 up to, not including, 1
 */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
