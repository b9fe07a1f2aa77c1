// A session's history, played again: the state after each change, and what that change did to it. The
// rules of merging are the backend's own (backend/session.js).

import { restartSession, startSession, updateEvent } from "../backend/session.js";

/** @typedef {import("../backend/session.js").SessionEvent} SessionEvent */
/** @typedef {import("../backend/store.js").Change} Change */

export const GROUPS = /** @type {const} */ ([
  "inputs",
  "outputs",
  "metadata",
  "metrics",
  "feedback",
  "user_properties",
  "config",
]);
const SCALARS = /** @type {const} */ (["end_time", "duration"]);

/** @typedef {{group: string, key: string, before: unknown, after: unknown}} Difference key "" for a field without keys */

/**
 * @typedef {object} Step
 * @property {Change} change
 * @property {SessionEvent} state after it
 * @property {Difference[]} differences what it set, changed or took away
 * @property {number} said enrichments merged into it, as far as the client counts them
 */

/**
 * @param {string} id
 * @param {Change[]} timeline oldest first
 * @returns {Step[]}
 */
export function replay(id, timeline) {
  /** @type {Step[]} */
  const steps = [];
  /** @type {SessionEvent | undefined} */
  let before;
  for (const change of timeline) {
    const state = after(id, before, change);
    const said = count(state) - count(before);
    steps.push({ change, state, differences: differences(before, state), said });
    before = state;
  }
  return steps;
}

/**
 * @param {string} id
 * @param {SessionEvent | undefined} before
 * @param {Change} change
 * @returns {SessionEvent}
 */
function after(id, before, { method, path, body, at }) {
  const said = /** @type {any} */ (body) ?? {};
  if (method === "PUT" && before) return updateEvent(before, said);
  const start = startIn(path, said);
  const started = before ? restartSession(before, start) : startSession(id, start, at);
  const { feedback, metrics } = start;
  return updateEvent(started, { feedback, metrics });
}

/**
 * What a request says of the session it starts: nothing where an event or a span names one that is not there.
 * @param {string} path
 * @param {any} said
 * @returns {any}
 */
function startIn(path, said) {
  if (path === "/v1/sessions") return said;
  if (path === "/session/start") return said.session;
  if (path === "/v1/events/batch") return said.session_properties ?? {};
  const event = path === "/events" ? said.event : said;
  return event?.event_type === "session" ? event : {};
}

/** @param {SessionEvent | undefined} state */
const count = (state) => Number(state?.metrics["enrichments"] ?? 0);

/**
 * @param {SessionEvent | undefined} before
 * @param {SessionEvent} state
 * @returns {Difference[]}
 */
function differences(before, state) {
  /** @type {Difference[]} */
  const found = [];
  for (const group of GROUPS) {
    const was = before?.[group] ?? {};
    const is = state[group];
    for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
      const each = { group, key, before: own(was, key), after: own(is, key) };
      if (!isSame(each.before, each.after)) found.push(each);
    }
  }
  for (const group of SCALARS) {
    const was = before?.[group] ?? undefined;
    const is = state[group] ?? undefined;
    if (was !== is) found.push({ group, key: "", before: was, after: is });
  }
  return found;
}

/** A key named "__proto__" is data too. @param {Record<string, unknown>} fields @param {string} key */
const own = (fields, key) => (Object.hasOwn(fields, key) ? fields[key] : undefined);

/** @param {unknown} a @param {unknown} b */
const isSame = (a, b) => JSON.stringify(a) === JSON.stringify(b);
