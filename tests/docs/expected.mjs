// What a document says that comes of a program, compared with what came. An ellipsis (…) stands for whatever is
// there: an id, a time.

import assert from "node:assert/strict";
import { until } from "../support/child.mjs";

/** @import { Block } from "./documents.mjs" */
/** @import { Reader } from "../support/backends.mjs" */

/** @param {Reader} backend */
export async function storedIds(backend) {
  const sessions = await backend.sessions();
  return new Set(sessions.map((/** @type {any} */ { event }) => event.session_id));
}

/**
 * Everything that the program sent was taken, and the sessions are those of its `stored` block: each field that
 * is named there, and as many sessions.
 * @param {Block} block
 * @param {Reader} backend
 * @param {Set<string>} known the sessions that were there
 * @param {() => string} said for people, should it go wrong
 */
export async function assertStored(block, backend, known, said) {
  if ("offline" in block.comment) return;
  const json = block.results.find(({ kind }) => kind === "stored")?.text;
  const wanted = json === undefined ? undefined : [JSON.parse(json)].flat();
  /** @type {any[]} */
  let events = [];
  const look = async () => {
    const all = (await backend.sessions()).map((/** @type {any} */ { event }) => event);
    events = all.filter((/** @type {any} */ { session_id }) => !known.has(session_id));
    if (!wanted) return events.length > 0;
    return (
      events.length === wanted.length && wanted.every((each) => events.some((it) => fits(each, it)))
    );
  };
  await until(look, { what: "sessions", timeoutMs: 15_000 }).catch(() => {
    assert.deepEqual(events, wanted ?? "a session", `${block.name}\n${said()}`);
    assert.fail(`${block.name}: ${events.length} sessions`);
  });
  const requests = await Promise.all(events.map(({ session_id }) => backend.requests(session_id)));
  const refused = requests.flat().filter((/** @type {any} */ { status }) => status >= 400);
  assert.deepEqual(refused, [], block.name);
}

/**
 * @param {Block} block
 * @param {string} output all that it printed
 */
export function assertPrinted(block, output) {
  const wanted = block.results.find(({ kind }) => kind === "printed")?.text ?? "";
  const pattern = wanted.trim().split("…").map(escaped).join("[^]*?");
  assert.match(output.trim(), new RegExp(`^${pattern}$`), `${block.name} printed ${output}`);
}

/**
 * @param {any} wanted
 * @param {any} found
 * @returns {boolean}
 */
function fits(wanted, found) {
  return Object.entries(wanted).every(([key, value]) => matches(value, found?.[key]));
}

/**
 * @param {any} wanted
 * @param {any} found
 * @returns {boolean}
 */
function matches(wanted, found) {
  if (wanted === "…") return found !== undefined;
  if (typeof wanted !== "object" || wanted === null) return wanted === found;
  const keys = Object.keys(wanted);
  return Object.keys(found ?? {}).length === keys.length && fits(wanted, found);
}

const escaped = (/** @type {string} */ text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
