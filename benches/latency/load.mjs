// What is said to a backend that takes its time, and when. Portable: it runs in each runtime.

import { payloads, small } from "../peers/payloads.mjs";

/**
 * @typedef {object} Peer as an adapter's setup() gives it
 * @property {(sessionId: string, key: string, payload: any) => unknown} update a promise, where it says how it ended
 * @property {() => PromiseLike<unknown>} flush
 *
 * @typedef {object} Sessions
 * @property {string} job
 * @property {number} rate sessions that begin in a second
 * @property {number} seconds
 *
 * @typedef {object} Batch
 * @property {string} job
 * @property {number} ids each of another session
 *
 * @typedef {object} Calls
 * @property {Record<string, number>} at when each key was said, in milliseconds since 1970
 * @property {number[]} delivered milliseconds from the call to the end of its promise, where there is one
 * @property {Record<string, number>} dropped how many, by reason
 * @property {number} ms from the first call until the flush has ended
 */

/** Enrichments of a session. */
export const EACH = 3;

/** Between these: longer than a request and what waits for company, so that none is spared by merging. */
const APART_MS = 500;

/** How long a flush may take, and then what the peer still sends by itself. */
const FLUSH_MS = 120_000;

const now = () => performance.timeOrigin + performance.now();
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
const keyOf = (/** @type {string} */ job, /** @type {number} */ n) =>
  `m${job}_${String(n).padStart(6, "0")}z`;

/** @param {Peer} peer */
function caller(peer) {
  /** @type {Calls} */
  const calls = { at: {}, delivered: [], dropped: {}, ms: 0 };
  const from = now();
  return {
    /**
     * @param {string} sessionId
     * @param {string} key
     */
    say(sessionId, key) {
      const at = (calls.at[key] = now());
      const ended = peer.update(sessionId, key, small);
      if (!(ended instanceof Promise)) return;
      ended.then((/** @type {any} */ delivery) => {
        if (delivery?.status === "dropped") {
          calls.dropped[delivery.reason] = (calls.dropped[delivery.reason] ?? 0) + 1;
        } else calls.delivered.push(now() - at);
      });
    },
    async end() {
      await Promise.race([peer.flush(), pause(FLUSH_MS)]);
      calls.ms = now() - from;
      return calls;
    },
  };
}

/**
 * So many sessions a second, each with its enrichments one after the other, whatever became of the last.
 * @param {Peer} peer
 * @param {Sessions} load
 */
export async function sessions(peer, { job, rate, seconds }) {
  const { say, end } = caller(peer);
  const ids = Array.from({ length: rate * seconds }, () => crypto.randomUUID());
  const due = ids
    .flatMap((id, n) =>
      Array.from({ length: EACH }, (_, each) => ({
        id,
        key: keyOf(job, n * EACH + each),
        ms: (n * 1_000) / rate + each * APART_MS,
      })),
    )
    .toSorted((a, b) => a.ms - b.ms);
  const from = performance.now();
  for (const { id, key, ms } of due) {
    while (performance.now() - from < ms) await pause(Math.max(1, ms - performance.now() + from));
    say(id, key);
  }
  return end();
}

/**
 * A nightly job: each session's id once, in one loop.
 * @param {Peer} peer
 * @param {Batch} load
 */
export async function batch(peer, { job, ids }) {
  const { say, end } = caller(peer);
  for (let n = 0; n < ids; n++) say(crypto.randomUUID(), keyOf(job, n));
  return end();
}

/** Requests in each turn of {@link turns}, and how many turns of each, after those that warm the program up. */
const TURN = 500;
const TURNS = 16;
const WARMING_TURNS = 10;

/**
 * CPU for each request of a peer and of bare `fetch`es of the same, in turns.
 * @param {Peer} peer
 * @param {Peer} bare
 * @param {() => number} cpu microseconds of this process
 * @returns {Promise<{ ours: number[], bare: number[] }>} microseconds a request, turn by turn
 */
export async function turns(peer, bare, cpu) {
  /** @type {{ ours: number[], bare: number[] }} */
  const report = { ours: [], bare: [] };
  const turn = async (/** @type {Peer} */ sender, /** @type {string} */ job) => {
    const before = cpu();
    for (let n = 0; n < TURN; n++) {
      sender.update(crypto.randomUUID(), keyOf(job, n), payloads["1 KB"]);
    }
    await sender.flush();
    return (cpu() - before) / TURN;
  };
  // The first ones find a cold program, which V8 compiles meanwhile, and a limit that has yet to grow.
  for (let n = 0; n < WARMING_TURNS; n++) {
    for (const each of [peer, bare]) await turn(each, "warm");
  }
  for (let n = 0; n < TURNS; n++) {
    report.ours.push(await turn(peer, `ours${n}`));
    report.bare.push(await turn(bare, `bare${n}`));
  }
  return report;
}
