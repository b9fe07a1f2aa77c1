// What is measured of one peer, in whatever runtime this is loaded: it imports nothing of Node's. The
// runtime lends a probe for what JavaScript cannot see of itself everywhere.

import { payloads, sized, small } from "./payloads.mjs";

/**
 * @typedef {object} Peer as each adapter's setup() gives it
 * @property {(sessionId: string, key: string, payload: any) => unknown} update adds metadata to a session
 * @property {() => PromiseLike<unknown>} flush
 *
 * @typedef {object} Probe
 * @property {() => number | Promise<number>} [cpu] microseconds of this process, all threads
 * @property {() => Promise<{heap?: number, wasm?: number}>} [memory] bytes, after a collection
 *
 * @typedef {object} Spread
 * @property {number} median
 * @property {number} low a quarter is below
 * @property {number} high a quarter is above
 *
 * @typedef {object} Arrived
 * @property {number} requests
 * @property {number} bytes
 * @property {number} keys updates that arrived
 * @property {boolean} leaked
 *
 * @typedef {object} Given
 * @property {Peer} peer
 * @property {string} url of the server
 * @property {Probe} probe
 * @property {number} seconds for each payload
 */

/** Pairs of batches, one of the peer's and one of JSON.stringify's, between two flushes. */
const PAIRS = 5;
const ROUNDS = 24;

/** The key of an update: unique, and told from all else by the server. */
const keyOf = (/** @type {string} */ job, /** @type {number} */ n) =>
  `m${job}_${String(n).padStart(6, "0")}z`;

/** What a payload is changed into after the call. */
export const leak = (/** @type {string} */ job) => keyOf(job, 999_999);

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @param {number[]} values
 * @returns {Spread}
 */
export function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ part) => sorted[Math.floor((sorted.length - 1) * part)] ?? NaN;
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/**
 * @param {Given} given
 * @param {string} job
 * @returns {Promise<Arrived>}
 */
async function arrived({ url }, job) {
  return (await fetch(`${url}/_taken?job=${job}`)).json();
}

/**
 * @param {string[]} keys
 * @param {(key: string) => unknown} call
 * @returns {number} microseconds a call
 */
function timed(keys, call) {
  const from = performance.now();
  for (const key of keys) call(key);
  return ((performance.now() - from) * 1_000) / keys.length;
}

/**
 * The caller's time for each payload, in turns with JSON.stringify of the same.
 * @param {Given} given
 */
export async function caller(given) {
  const { peer, seconds } = given;
  const report = [];
  for (const [name, payload] of Object.entries(payloads)) {
    const job = `caller${report.length}`;
    const bytes = JSON.stringify(payload).length;
    // Long enough for a coarse clock, short enough for whoever else uses the machine; and no more than
    // every peer's queue takes.
    const calls = Math.max(2, Math.min(12, Math.ceil(60_000 / bytes)));
    const sessionId = crypto.randomUUID();
    /** Microseconds a call, of the peer and of JSON.stringify. @type {[number, number][]} */
    const times = [];
    const until = performance.now() + seconds * 1_000;
    let made = 0;
    for (let round = 0; round < ROUNDS && (round < 6 || performance.now() < until); round++) {
      for (let pair = 0; pair < PAIRS; pair++) {
        const keys = Array.from({ length: calls }, () => keyOf(job, made++));
        // Names that no object had before: the first to use one pays for that.
        const others = keys.map((key) => `${key}s`);
        const update = () => timed(keys, (key) => peer.update(sessionId, key, payload));
        const stringify = () =>
          timed(others, (key) => JSON.stringify({ metadata: { [key]: payload } }));
        // Whichever comes first finds colder caches: they take turns in that, too.
        if (pair % 2) times.push([update(), stringify()]);
        else times.push(/** @type {[number, number]} */ ([stringify(), update()].toReversed()));
      }
      await peer.flush();
    }
    const warm = times.slice(times.length >> 2);
    const { requests, keys } = await arrived(given, job);
    report.push({
      name,
      bytes,
      microseconds: spread(warm.map(([update]) => update)),
      stringify: spread(warm.map(([, stringify]) => stringify)),
      ratio: spread(warm.map(([update, stringify]) => update / stringify)),
      made,
      requests,
      delivered: keys,
    });
  }
  return report;
}

/**
 * @typedef {object} Load
 * @property {string} job
 * @property {number} updates
 * @property {number} sessions that they go to in turns
 * @property {any} payload
 * @property {number} [atOnce] updates in a row, then 10 ms of nothing
 * @property {boolean} [flushed] each row, instead of that
 */

/**
 * So many updates, not all at once, then a flush.
 * @param {Given} given
 * @param {Load} what
 */
export async function load(given, what) {
  const { job, updates, sessions, payload, atOnce = 100, flushed = false } = what;
  const { peer, probe } = given;
  const ids = Array.from({ length: sessions }, () => crypto.randomUUID());
  const cpu = await probe.cpu?.();
  const from = performance.now();
  let inCalls = 0;
  for (let n = 0; n < updates;) {
    const start = performance.now();
    for (const end = Math.min(n + atOnce, updates); n < end; n++) {
      peer.update(/** @type {string} */ (ids[n % sessions]), keyOf(job, n), payload);
    }
    inCalls += performance.now() - start;
    await (flushed ? peer.flush() : pause(10));
  }
  await peer.flush();
  const ms = performance.now() - from;
  const spent = cpu === undefined ? undefined : (((await probe.cpu?.()) ?? 0) - cpu) / updates;
  const { requests, bytes, keys } = await arrived(given, job);
  return {
    updates,
    sessions,
    ms,
    caller: (inCalls * 1_000) / updates,
    cpu: spent,
    requests,
    bytes,
    delivered: keys,
  };
}

/** Whether a payload that is changed right after the call is sent as it was. */
export async function snapshot(/** @type {Given} */ given) {
  const { peer } = given;
  const payload = { note: "as it was", deep: { note: "as it was" } };
  peer.update(crypto.randomUUID(), keyOf("snapshot", 0), payload);
  payload.note = payload.deep.note = leak("snapshot");
  await peer.flush();
  const { keys, leaked } = await arrived(given, "snapshot");
  if (keys === 0) return { snapshot: "nothing arrived" };
  return { snapshot: leaked ? "no" : "yes" };
}

/** What an update of each payload costs altogether, delivery included: a megabyte at most, then a flush. */
export async function cost(/** @type {Given} */ given) {
  const report = [];
  for (const [name, payload] of Object.entries(payloads)) {
    report.push({ name, ...(await load(given, rows(`cost${report.length}`, payload))) });
  }
  return report;
}

/**
 * @param {string} job
 * @param {any} payload
 * @returns {Load} six rows of a megabyte or fifty calls each
 */
export function rows(job, payload) {
  const bytes = JSON.stringify(payload).length;
  const atOnce = Math.max(1, Math.min(50, Math.floor(1_000_000 / bytes)));
  return { job, updates: atOnce * 6, sessions: 1, payload, atOnce, flushed: true };
}

/** 10,000 updates in about a second: of one session, and of a thousand. @returns {Load[]} */
export const manyLoads = () => [
  { job: "one", sessions: 1, updates: 10_000, payload: small },
  { job: "thousand", sessions: 1_000, updates: 10_000, payload: small },
];

export async function many(/** @type {Given} */ given) {
  const report = [];
  for (const each of manyLoads()) report.push(await load(given, each));
  return report;
}

/** A thousand sessions, with ten times as much in each update: more than some queues take. */
export function flood(/** @type {Given} */ given) {
  const payload = payloads["1 KB"];
  return load(given, { job: "flood", sessions: 1_000, updates: 10_000, payload });
}

/** What is held while a thousand updates of 1 KB are unsent, and what stays of them. */
export async function memory(/** @type {Given} */ given) {
  const { peer, probe } = given;
  const payload = payloads["1 KB"];
  const sessionId = crypto.randomUUID();
  peer.update(sessionId, keyOf("warm", 0), payload);
  await peer.flush();
  const before = await probe.memory?.();
  for (let n = 0; n < 1_000; n++) {
    peer.update(sessionId, keyOf("memory", n), JSON.parse(JSON.stringify(payload)));
  }
  const held = await probe.memory?.();
  await peer.flush();
  const after = await probe.memory?.();
  const more = (/** @type {typeof held} */ { heap = 0 } = {}) => heap - (before?.heap ?? 0);
  const { keys } = await arrived(given, "memory");
  return { held: more(held), after: more(after), wasm: after?.wasm, delivered: keys };
}

/** What an update costs the more sessions are open, and the larger it is. */
export async function growth(/** @type {Given} */ given) {
  const bySessions = [];
  for (const sessions of [1, 10, 100, 1_000, 10_000]) {
    const updates = Math.max(1_000, sessions);
    const job = `sessions${sessions}`;
    bySessions.push(await load(given, { job, updates, sessions, payload: small }));
  }
  const bySize = [];
  for (const kilobytes of [1, 4, 16, 64, 256, 1_024]) {
    const what = rows(`size${kilobytes}`, sized(kilobytes * 1_000));
    bySize.push({ kilobytes, ...(await load(given, what)) });
  }
  return { bySessions, bySize };
}

export const jobs = { snapshot, caller, cost, many, flood, memory, growth };
