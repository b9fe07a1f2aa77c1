// Where sessions and their timelines are kept: the interface, and the store in memory. No rules of
// merging here. The interface is synchronous, as SQLite inside a Durable Object is: between reading
// a session and writing it back nothing else may run.

import { Fifo } from "./fifo.js";

/** @typedef {import("./session.js").SessionEvent} SessionEvent */
/** @typedef {import("./event.js").ChildEvent} ChildEvent */
/** @typedef {import("./otlp.js").StoredSpan} StoredSpan */

/** Spans kept of one session, and of none: the oldest go first. Of a session's events as many. */
const SPANS = 10_000;

/**
 * One request that touched a session, or another event.
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
 * An event that is no session, and what led to it.
 * @typedef {object} StoredEvent
 * @property {ChildEvent} event
 * @property {Change[]} timeline oldest first
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
 * @property {(key: string, id: string) => StoredEvent | undefined} readEvent one that is no session
 * @property {(key: string, event: ChildEvent, change: Change) => void} writeEvent beside its session, which is there
 * @property {(key: string, session: string) => StoredEvent[]} events of a session, as they were made
 * @property {(key: string) => (SessionEvent | ChildEvent)[]} everything sessions and other events, in no order
 * @property {(key: string, id: string | null, span: StoredSpan) => void} writeSpan beside its session, which is there, or without one; the same span again takes the earlier one's place
 * @property {(key: string, id: string | null) => StoredSpan[]} spans of a session, or without one; as they came
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
  /** @type {WeakMap<StoredSession, Map<string, StoredSpan>>} */
  const spans = new WeakMap();
  /** @type {WeakMap<StoredSession, Map<string, StoredEvent>>} */
  const events = new WeakMap();
  /** @type {Map<string, StoredEvent>} by key and event id */
  let eventsById = new Map();
  /** @type {Map<string, Map<string, StoredSpan>>} those without a session, by key */
  let stray = new Map();
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

  /** @param {string} key @param {string} id */
  const nameOf = (key, id) => `${key}\n${id}`;

  const forgetOldest = () => {
    const oldest = /** @type {StoredSession} */ (rows.shift());
    for (const name of events.get(oldest)?.keys() ?? []) eventsById.delete(name);
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

    readEvent: (key, id) => eventsById.get(nameOf(key, id)),

    writeEvent(key, event, change) {
      const name = nameOf(key, event.event_id);
      const known = eventsById.get(name);
      if (known) {
        known.event = event;
        known.timeline.push(change);
        return;
      }
      const row = /** @type {StoredSession} */ (find(key, event.session_id));
      const of = events.get(row) ?? new Map();
      const made = { event, timeline: [change] };
      of.set(name, made);
      eventsById.set(name, made);
      if (of.size > SPANS) {
        const oldest = of.keys().next().value ?? "";
        of.delete(oldest);
        eventsById.delete(oldest);
      }
      events.set(row, of);
    },

    events(key, session) {
      const row = find(key, session);
      return [...((row && events.get(row)?.values()) ?? [])];
    },

    everything(key) {
      const found = [];
      for (let i = 0; i < rows.length; i += 1) {
        const row = /** @type {StoredSession} */ (rows.at(i));
        if (row.key !== key) continue;
        found.push(row.event, ...[...(events.get(row)?.values() ?? [])].map(({ event }) => event));
      }
      return found;
    },

    writeSpan(key, id, span) {
      const row = id === null ? undefined : find(key, id);
      /** @type {Map<string, StoredSpan>} */
      const of = (row ? spans.get(row) : stray.get(key)) ?? new Map();
      of.set(`${span.trace_id} ${span.span_id}`, span);
      if (of.size > SPANS) of.delete(of.keys().next().value ?? "");
      if (row) spans.set(row, of);
      else stray.set(key, of);
    },

    spans(key, id) {
      const row = id === null ? undefined : find(key, id);
      const of = id === null ? stray.get(key) : row && spans.get(row);
      return [...(of?.values() ?? [])];
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
      eventsById = new Map();
      stray = new Map();
      created = 0;
    },
  };
}
