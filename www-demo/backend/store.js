// Where sessions and their timelines are kept: the interface, and the store in memory. No rules of
// merging here. The interface is synchronous, as SQLite inside a Durable Object is: between reading
// a session and writing it back nothing else may run.

import { Fifo } from "./fifo.js";

/** @typedef {import("./session.js").SessionEvent} SessionEvent */

/**
 * One request that touched a session.
 * @typedef {object} Change
 * @property {number} seq the request's number in the log
 * @property {number} at when it was stored, Unix milliseconds
 * @property {string} method
 * @property {string} path
 * @property {string | null} timestamp the client's hh-client-timestamp, decimal nanoseconds
 * @property {unknown} body what came, with the parts that were ignored
 */

/**
 * @typedef {object} StoredSession
 * @property {string} key the key it belongs to
 * @property {number} number counts sessions in the order of their creation, from 1
 * @property {SessionEvent} event
 * @property {number} changes how many requests touched it
 * @property {number} updatedAt Unix milliseconds
 */

/**
 * @typedef {object} SessionPage
 * @property {StoredSession[]} sessions newest first
 * @property {number | null} before what to ask for to get the next page
 */

/**
 * @typedef {object} Store
 * @property {(key: string, id: string) => StoredSession | undefined} read
 * @property {(key: string, event: SessionEvent, change: Change) => void} write the new state and what led to it: both or neither
 * @property {(key: string, id: string) => Change[]} timeline oldest first
 * @property {(id: string) => StoredSession[]} find under every key, oldest first
 * @property {(query: {key?: string | undefined, limit: number, before?: number | undefined}) => SessionPage} list
 * @property {() => number} count
 * @property {() => void} clear
 */

/**
 * @param {{sessions?: number}} [options] sessions kept, no end to them unless given: the oldest go first
 * @returns {Store}
 */
export function memoryStore({ sessions = Infinity } = {}) {
  /** @type {Fifo<StoredSession>} in the order of creation */
  let rows = new Fifo();
  /** @type {Map<string, StoredSession[]>} by session id: one for each key that has it */
  let byId = new Map();
  /** @type {WeakMap<StoredSession, Change[]>} */
  const timelines = new WeakMap();
  let created = 0;

  /**
   * @param {string} key
   * @param {string} id
   */
  const find = (key, id) => byId.get(id)?.find((row) => row.key === key);

  /** @param {StoredSession} row */
  const add = (row) => {
    rows.push(row);
    const same = byId.get(row.event.event_id);
    if (same) same.push(row);
    else byId.set(row.event.event_id, [row]);
  };

  const forgetOldest = () => {
    const oldest = /** @type {StoredSession} */ (rows.shift());
    const id = oldest.event.event_id;
    const others = byId.get(id)?.filter((row) => row !== oldest);
    if (others?.length) byId.set(id, others);
    else byId.delete(id);
  };

  return {
    read: find,

    write(key, event, change) {
      const row = find(key, event.event_id);
      if (row) {
        row.event = event;
        row.changes += 1;
        row.updatedAt = change.at;
        timelines.get(row)?.push(change);
        return;
      }
      created += 1;
      const made = { key, number: created, event, changes: 1, updatedAt: change.at };
      timelines.set(made, [change]);
      add(made);
      if (rows.length > sessions) forgetOldest();
    },

    timeline(key, id) {
      const row = find(key, id);
      return (row && timelines.get(row)) ?? [];
    },

    find: (id) => byId.get(id) ?? [],

    list({ key, limit, before = Infinity }) {
      const found = [];
      const oldest = created - rows.length + 1;
      for (let i = Math.min(rows.length, before - oldest) - 1; i >= 0; i -= 1) {
        const row = /** @type {StoredSession} */ (rows.at(i));
        if (key !== undefined && row.key !== key) continue;
        if (found.length === limit) return { sessions: found, before: row.number + 1 };
        found.push(row);
      }
      return { sessions: found, before: null };
    },

    count: () => rows.length,

    clear() {
      rows = new Fifo();
      byId = new Map();
      created = 0;
    },
  };
}
