// Where sessions and their timelines are kept: the interface, and the store in memory. No rules of
// merging here. The interface is synchronous, as SQLite inside a Durable Object is: between reading
// a session and writing it back nothing else may run.

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
 * @property {(query: {key?: string, limit: number, before?: number}) => SessionPage} list
 * @property {() => number} count
 * @property {() => void} clear
 */

/** @returns {Store} */
export function memoryStore() {
  /** @typedef {StoredSession & {timeline: Change[]}} Row */
  /** @type {Map<string, Row[]>} by session id: one row for each key that has it */
  let byId = new Map();
  /** @type {Row[]} at index number - 1 */
  let rows = [];
  /** @type {Map<string, Row[]>} each in the order of creation */
  let byKey = new Map();

  /**
   * @param {string} key
   * @param {string} id
   */
  const find = (key, id) => byId.get(id)?.find((row) => row.key === key);

  return {
    read: find,

    write(key, event, change) {
      const row = find(key, event.event_id);
      if (row) {
        row.event = event;
        row.changes += 1;
        row.updatedAt = change.at;
        row.timeline.push(change);
        return;
      }
      const made = {
        key,
        number: rows.length + 1,
        event,
        changes: 1,
        updatedAt: change.at,
        timeline: [change],
      };
      rows.push(made);
      push(byId, event.event_id, made);
      push(byKey, key, made);
    },

    timeline: (key, id) => find(key, id)?.timeline ?? [],

    find: (id) => byId.get(id) ?? [],

    list({ key, limit, before = Infinity }) {
      const all = key === undefined ? rows : (byKey.get(key) ?? []);
      const end = firstAtLeast(all, before);
      const start = Math.max(0, end - limit);
      return {
        sessions: all.slice(start, end).toReversed(),
        before: start > 0 ? (all[start]?.number ?? null) : null,
      };
    },

    count: () => rows.length,

    clear() {
      byId = new Map();
      byKey = new Map();
      rows = [];
    },
  };
}

/**
 * @template T
 * @param {Map<string, T[]>} map
 * @param {string} key
 * @param {T} value
 */
function push(map, key, value) {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/**
 * @param {{number: number}[]} rows ascending by number
 * @param {number} number
 * @returns {number} the index of the first row whose number is at least that
 */
function firstAtLeast(rows, number) {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (/** @type {{number: number}} */ (rows[middle]).number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}
