// The store in SQLite, as a Durable Object has it: sessions with what they are listed and filtered by
// in columns of their own, the changes that made them, and spans. Merging is session.js's.

import { longTexts } from "./long-text.js";
import { propertiesOf, summaryOf } from "./summary.js";

/** @typedef {import("./session.js").SessionEvent} SessionEvent */
/** @typedef {import("./store.js").Change} Change */
/** @typedef {import("./store.js").StoredSession} StoredSession */

/**
 * What is used of a Durable Object's `ctx.storage.sql`.
 * @typedef {object} Sql
 * @property {(query: string, ...values: (string | number | null)[]) => { toArray(): any[], one(): any }} exec
 */
/** @typedef {{ sql: Sql, transactionSync<T>(run: () => T): T }} Storage */

/** Spans kept of one session, and of none: the oldest go first. Of a session's events as many. */
const SPANS = 10_000;

/** Spans that name no session have this one's number; sessions count from 1. */
const NONE = 0;

const TABLES = `
CREATE TABLE IF NOT EXISTS sessions (
  number INTEGER PRIMARY KEY, key TEXT NOT NULL, id TEXT NOT NULL, event TEXT NOT NULL,
  changes INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  started_at REAL NOT NULL, status TEXT, variant TEXT, rating REAL, thumbs_up REAL, thumbs_down REAL,
  cost REAL, latency REAL, tokens REAL, said REAL, user TEXT, title TEXT,
  UNIQUE (id, key)
);
CREATE INDEX IF NOT EXISTS sessions_by_key ON sessions (key, number);
CREATE INDEX IF NOT EXISTS sessions_by_variant ON sessions (variant, number);
CREATE INDEX IF NOT EXISTS sessions_by_rating ON sessions (rating, number);
CREATE INDEX IF NOT EXISTS sessions_by_status ON sessions (status, number);
CREATE TABLE IF NOT EXISTS properties (
  session INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (session, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS properties_by_value ON properties (name, value, session);
CREATE TABLE IF NOT EXISTS changes (
  number INTEGER PRIMARY KEY, session INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
  method TEXT NOT NULL, path TEXT NOT NULL, timestamp TEXT, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS changes_by_session ON changes (session, number);
CREATE TABLE IF NOT EXISTS events (
  number INTEGER PRIMARY KEY, session INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL,
  event TEXT NOT NULL, UNIQUE (id, key)
);
CREATE INDEX IF NOT EXISTS events_by_session ON events (session, number);
CREATE TABLE IF NOT EXISTS event_changes (
  number INTEGER PRIMARY KEY, event INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
  method TEXT NOT NULL, path TEXT NOT NULL, timestamp TEXT, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS event_changes_by_event ON event_changes (event, number);
CREATE TABLE IF NOT EXISTS spans (
  number INTEGER PRIMARY KEY, session INTEGER NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,
  span TEXT NOT NULL, UNIQUE (session, key, name)
);
CREATE INDEX IF NOT EXISTS spans_by_session ON spans (session, key, number);
`;

const TABLE_NAMES = [
  "sessions",
  "properties",
  "changes",
  "events",
  "event_changes",
  "spans",
  "parts",
];

/** The column that says whose change it is. */
const OWNER = { changes: "session", event_changes: "event" };

/** @typedef {ReturnType<typeof summaryOf>} Summary */
const SUMMARY = /** @type {const} */ ([
  "started_at",
  "status",
  "variant",
  "rating",
  "thumbs_up",
  "thumbs_down",
  "cost",
  "latency",
  "tokens",
  "said",
  "user",
  "title",
]);

/**
 * @param {Storage} storage
 * @returns {import("./store.js").Store}
 */
export function sqliteStore(storage) {
  const { sql } = storage;
  sql.exec(TABLES);
  const texts = longTexts(sql);

  /**
   * @param {any} row
   * @returns {StoredSession}
   */
  const stored = ({ key, number, event, changes, updated_at: updatedAt }) => ({
    key,
    number,
    event: JSON.parse(texts.read(event)),
    changes,
    updatedAt,
  });

  /**
   * @param {string} key
   * @param {string | null} id
   * @returns {any} the bare row
   */
  const rowOf = (key, id) =>
    sql.exec("SELECT * FROM sessions WHERE id = ? AND key = ?", id, key).toArray()[0];

  /**
   * @param {string} key
   * @param {string | null} id
   * @returns {number | undefined}
   */
  const numberOf = (key, id) => (id === null ? NONE : rowOf(key, id)?.number);

  /**
   * @param {string} key
   * @param {SessionEvent} event
   * @param {number} at
   * @returns {number} the session's
   */
  function writeSession(key, event, at) {
    const before = rowOf(key, event.event_id);
    const summary = summaryOf(event);
    const values = SUMMARY.map((name) => summary[name]);
    const kept = texts.keep(JSON.stringify(event));
    if (before) {
      texts.forget(before.event);
      const set = SUMMARY.map((name) => `${name} = ?`).join(", ");
      sql.exec(
        `UPDATE sessions SET event = ?, changes = changes + 1, updated_at = ?, ${set} WHERE number = ?`,
        kept,
        at,
        ...values,
        before.number,
      );
      return before.number;
    }
    const { number } = sql
      .exec(
        `INSERT INTO sessions (key, id, event, changes, updated_at, ${SUMMARY.join(", ")})
         VALUES (?, ?, ?, 1, ?, ${SUMMARY.map(() => "?").join(", ")}) RETURNING number`,
        key,
        event.event_id,
        kept,
        at,
        ...values,
      )
      .one();
    return number;
  }

  /**
   * @param {number} session
   * @param {SessionEvent} event
   */
  function writeProperties(session, event) {
    for (const [name, value] of propertiesOf(event)) {
      if (value === null) {
        sql.exec("DELETE FROM properties WHERE session = ? AND name = ?", session, name);
        continue;
      }
      sql.exec(
        `INSERT INTO properties VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value`,
        session,
        name,
        value,
      );
    }
  }

  /**
   * @param {"changes" | "event_changes"} table
   * @param {number} of number of the session or event
   * @param {Change} change
   */
  function writeChange(table, of, { seq, at, method, path, timestamp, body }) {
    sql.exec(
      `INSERT INTO ${table} (${OWNER[table]}, seq, at, method, path, timestamp, body) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      of,
      seq,
      at,
      method,
      path,
      timestamp,
      texts.keep(JSON.stringify(body) ?? "null"),
    );
  }

  /**
   * @param {"changes" | "event_changes"} table
   * @param {number} of number of the session or event
   * @returns {Change[]} oldest first
   */
  const changesOf = (table, of) =>
    sql
      .exec(
        `SELECT seq, at, method, path, timestamp, body FROM ${table}
         WHERE ${OWNER[table]} = ? ORDER BY number`,
        of,
      )
      .toArray()
      .map((change) => ({ ...change, body: JSON.parse(texts.read(change.body)) }));

  /**
   * @param {any} row
   * @returns {import("./store.js").StoredEvent}
   */
  const storedEvent = ({ number, event }) => ({
    event: JSON.parse(texts.read(event)),
    timeline: changesOf("event_changes", number),
  });

  /** @param {string} key @param {string} id @returns {any} the bare row */
  const eventRowOf = (key, id) =>
    sql.exec("SELECT * FROM events WHERE id = ? AND key = ?", id, key).toArray()[0];

  return {
    read(key, id) {
      const row = rowOf(key, id);
      return row && stored(row);
    },

    write(key, event, change) {
      storage.transactionSync(() => {
        const session = writeSession(key, event, change.at);
        writeProperties(session, event);
        writeChange("changes", session, change);
      });
    },

    timeline: (key, id) => changesOf("changes", numberOf(key, id) ?? -1),

    readEvent(key, id) {
      const row = eventRowOf(key, id);
      return row && storedEvent(row);
    },

    writeEvent(key, event, change) {
      storage.transactionSync(() => {
        const before = eventRowOf(key, event.event_id);
        const kept = texts.keep(JSON.stringify(event));
        if (before) {
          texts.forget(before.event);
          sql.exec("UPDATE events SET event = ? WHERE number = ?", kept, before.number);
          writeChange("event_changes", before.number, change);
          return;
        }
        const session = numberOf(key, event.session_id) ?? NONE;
        const { number } = sql
          .exec(
            "INSERT INTO events (session, key, id, event) VALUES (?, ?, ?, ?) RETURNING number",
            session,
            key,
            event.event_id,
            kept,
          )
          .one();
        writeChange("event_changes", number, change);
        sql.exec(
          `DELETE FROM events WHERE session = ?1 AND number <= (
             SELECT number FROM events WHERE session = ?1 ORDER BY number DESC LIMIT 1 OFFSET ${SPANS})`,
          session,
        );
      });
    },

    events: (key, session) =>
      sql
        .exec(
          "SELECT * FROM events WHERE session = ? AND key = ? ORDER BY number",
          numberOf(key, session) ?? -1,
          key,
        )
        .toArray()
        .map(storedEvent),

    everything: (key) =>
      sql
        .exec(
          "SELECT event FROM sessions WHERE key = ?1 UNION ALL SELECT event FROM events WHERE key = ?1",
          key,
        )
        .toArray()
        .map(({ event }) => JSON.parse(texts.read(event))),

    writeSpan(key, id, span) {
      const session = numberOf(key, id) ?? NONE;
      storage.transactionSync(() => {
        sql.exec(
          `INSERT INTO spans (session, key, name, span) VALUES (?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET span = excluded.span`,
          session,
          key,
          `${span.trace_id} ${span.span_id}`,
          texts.keep(JSON.stringify(span)),
        );
        sql.exec(
          `DELETE FROM spans WHERE session = ?1 AND key = ?2 AND number <= (
             SELECT number FROM spans WHERE session = ?1 AND key = ?2
             ORDER BY number DESC LIMIT 1 OFFSET ${SPANS})`,
          session,
          key,
        );
      });
    },

    spans: (key, id) =>
      sql
        .exec(
          "SELECT span FROM spans WHERE session = ? AND key = ? ORDER BY number",
          numberOf(key, id) ?? -1,
          key,
        )
        .toArray()
        .map(({ span }) => JSON.parse(texts.read(span))),

    find: (id) =>
      sql.exec("SELECT * FROM sessions WHERE id = ? ORDER BY number", id).toArray().map(stored),

    list({ key, limit, before = Infinity }) {
      const last = Number.isFinite(before) ? before : Number.MAX_SAFE_INTEGER;
      const rows = sql
        .exec(
          `SELECT * FROM sessions WHERE number < ? ${key === undefined ? "" : "AND key = ?"}
           ORDER BY number DESC LIMIT ?`,
          last,
          ...(key === undefined ? [] : [key]),
          limit + 1,
        )
        .toArray();
      const sessions = rows.slice(0, limit).map(stored);
      return {
        sessions,
        before: rows.length > limit ? (sessions.at(-1)?.number ?? null) : null,
      };
    },

    count: () => sql.exec("SELECT count(*) AS count FROM sessions").one().count,

    clear() {
      storage.transactionSync(() => {
        for (const table of TABLE_NAMES) {
          sql.exec(`DELETE FROM ${table}`);
        }
      });
    },
  };
}
