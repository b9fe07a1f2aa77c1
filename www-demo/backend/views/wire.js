// What the wire did, kept in SQLite: each write that came, how it ended, which try it was; and in a few
// sums whether anything is still on its way. A write is known again by its session, timestamp and path,
// which a client keeps from try to try.

/** @typedef {import("../request-log.js").Exchange} Exchange */
/** @typedef {import("../sqlite-store.js").Sql} Sql */

/** Requests kept: the oldest go first, a thousand at a time. */
const KEPT = 200_000;

/** Answers after which a client tries again. */
const PASSING = (/** @type {number | null} */ status) =>
  status === null || status === 408 || status === 425 || status === 429 || status >= 500;

/**
 * @typedef {object} WireRequest
 * @property {number} number
 * @property {number} at Unix milliseconds
 * @property {string | null} session
 * @property {string} method
 * @property {string} path
 * @property {string | null} timestamp decimal nanoseconds
 * @property {number | null} status null: no answer
 * @property {string} fate see request-log.js
 * @property {number | null} fault
 * @property {number} ms
 * @property {number} bytes
 * @property {0 | 1} stored
 * @property {number} try from 1
 */

/**
 * @typedef {object} WireSums
 * @property {number} requests
 * @property {number} retries requests that were not the first try
 * @property {number} failed requests after which the client tries again
 * @property {number} refused requests that no try mends
 * @property {number} open writes that failed and are not stored yet
 */

const TABLES = `
CREATE TABLE IF NOT EXISTS requests (
  number INTEGER PRIMARY KEY, at INTEGER NOT NULL, session TEXT, method TEXT NOT NULL,
  path TEXT NOT NULL, timestamp TEXT, status INTEGER, fate TEXT NOT NULL, fault INTEGER,
  ms INTEGER NOT NULL, bytes INTEGER NOT NULL, stored INTEGER NOT NULL, try INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS requests_by_session ON requests (session, number);
CREATE INDEX IF NOT EXISTS requests_by_write ON requests (session, timestamp);
CREATE TABLE IF NOT EXISTS open_writes (
  session TEXT NOT NULL, timestamp TEXT NOT NULL, path TEXT NOT NULL,
  PRIMARY KEY (session, timestamp, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wire (requests INTEGER, retries INTEGER, failed INTEGER, refused INTEGER);
`;

/** @param {Sql} sql */
export function wire(sql) {
  sql.exec(TABLES);
  if (sql.exec("SELECT count(*) AS count FROM wire").one().count === 0) begin();

  function begin() {
    sql.exec("INSERT INTO wire VALUES (0, 0, 0, 0)");
  }

  return {
    /**
     * @param {Exchange} exchange a write that is over
     * @returns {WireRequest}
     */
    add({ at, session, method, path, timestamp, status, fate, fault, ms, bytes, stored }) {
      const write = [session, timestamp, path];
      const { tries } = sql
        .exec(
          "SELECT count(*) AS tries FROM requests WHERE session = ? AND timestamp = ? AND path = ?",
          ...write,
        )
        .one();
      const isPassing = !stored && PASSING(status);
      const isRefused = !stored && !isPassing;
      const row = [at, ...write, method, status, fate, fault, ms ?? 0, bytes, stored ? 1 : 0];
      /** @type {WireRequest} */
      const kept = sql
        .exec(
          `INSERT INTO requests
             (at, session, timestamp, path, method, status, fate, fault, ms, bytes, stored, try)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *`,
          ...row,
          tries + 1,
        )
        .one();
      sql.exec(
        `UPDATE wire SET requests = requests + 1, retries = retries + ?, failed = failed + ?,
           refused = refused + ?`,
        tries > 0 ? 1 : 0,
        status === null || PASSING(status) ? 1 : 0,
        isRefused ? 1 : 0,
      );
      if (session !== null && timestamp !== null) {
        sql.exec(
          isPassing
            ? "INSERT OR IGNORE INTO open_writes VALUES (?, ?, ?)"
            : "DELETE FROM open_writes WHERE session = ? AND timestamp = ? AND path = ?",
          ...write,
        );
      }
      if (kept.number % 1000 === 0) {
        sql.exec("DELETE FROM requests WHERE number <= ?", kept.number - KEPT);
      }
      return kept;
    },

    /**
     * @param {{session?: string | undefined, before?: number, limit: number}} query
     * @returns {WireRequest[]} newest first
     */
    list({ session, before = Number.MAX_SAFE_INTEGER, limit }) {
      return sql
        .exec(
          `SELECT * FROM requests WHERE number < ? ${session === undefined ? "" : "AND session = ?"}
           ORDER BY number DESC LIMIT ?`,
          before,
          ...(session === undefined ? [] : [session]),
          limit,
        )
        .toArray();
    },

    /** @returns {WireSums} */
    sums: () =>
      sql.exec("SELECT wire.*, (SELECT count(*) FROM open_writes) AS open FROM wire").one(),

    clear() {
      for (const table of ["requests", "open_writes", "wire"]) sql.exec(`DELETE FROM ${table}`);
      begin();
    },
  };
}
