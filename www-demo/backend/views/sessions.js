// Questions about thousands of sessions, answered by SQLite: a page of them, what can be filtered by,
// and the figures that are plotted. The columns are sqlite-store.js's.

import { ApiError } from "../errors.js";

/** @typedef {import("../sqlite-store.js").Sql} Sql */
/** @typedef {import("../summary.js").Summary & {number: number, id: string, changes: number, updated_at: number}} Row */
/** @typedef {{[name: string]: string | undefined}} Filters variant, status, rating, user, q, property ("name=value") */

const COLUMNS =
  "number, id, changes, updated_at, started_at, status, variant, rating, thumbs_up, thumbs_down, cost, latency, tokens, said, user, title";

/** Values of a property that are offered to choose from. */
const CHOICES = 40;

/** Sessions that are plotted: the newest. */
const POINTS = 20_000;

/**
 * @param {Filters} filters
 * @returns {{where: string, values: (string | number)[]}}
 */
function condition({ variant, status, rating, q, property }) {
  /** @type {string[]} */
  const where = [];
  /** @type {(string | number)[]} */
  const values = [];
  /** @param {string} sql @param {...(string | number)} given */
  const and = (sql, ...given) => {
    where.push(sql);
    values.push(...given);
  };
  if (variant) and("variant = ?", variant);
  if (status) and("status = ?", status);
  if (rating === "up") and("thumbs_up > 0");
  else if (rating === "down") and("thumbs_down > 0");
  else if (rating === "none") and("rating IS NULL AND thumbs_up IS NULL");
  else if (rating) and("rating = ?", Number(rating));
  if (property) {
    const at = property.indexOf("=");
    if (at < 1) throw new ApiError(400, "BAD_REQUEST", "property: must be name=value");
    and(
      "number IN (SELECT session FROM properties WHERE name = ? AND value = ?)",
      property.slice(0, at),
      property.slice(at + 1),
    );
  }
  if (q) {
    const like = `%${q.replaceAll(/[\\%_]/g, "\\$&")}%`;
    and(
      "(title LIKE ? ESCAPE '\\' OR user LIKE ? ESCAPE '\\' OR id LIKE ? ESCAPE '\\')",
      like,
      like,
      like,
    );
  }
  return { where: where.length > 0 ? where.join(" AND ") : "1", values };
}

/** @param {Sql} sql */
export function sessionViews(sql) {
  /** @param {string} query @param {...(string | number)} values */
  const all = (query, ...values) => sql.exec(query, ...values).toArray();

  return {
    /**
     * @param {Filters} filters
     * @param {{before?: number, limit: number}} page
     * @returns {{sessions: Row[], cursor: number | null, total: number}} newest first; total: of all pages
     */
    page(filters, { before = Number.MAX_SAFE_INTEGER, limit }) {
      const { where, values } = condition(filters);
      const rows = all(
        `SELECT ${COLUMNS} FROM sessions WHERE number < ? AND ${where} ORDER BY number DESC LIMIT ?`,
        before,
        ...values,
        limit + 1,
      );
      const sessions = rows.slice(0, limit);
      const cursor = rows.length > limit ? sessions.at(-1).number : null;
      const [{ total }] = all(`SELECT count(*) AS total FROM sessions WHERE ${where}`, ...values);
      return { sessions, cursor, total };
    },

    /**
     * @param {Filters} filters
     * @param {number[]} numbers
     * @returns {Row[]} those of the sessions that pass the filters
     */
    among(filters, numbers) {
      const { where, values } = condition(filters);
      const list = numbers.map(() => "?").join(", ");
      return all(
        `SELECT ${COLUMNS} FROM sessions WHERE number IN (${list}) AND ${where} ORDER BY number DESC`,
        ...numbers,
        ...values,
      );
    },

    /** What can be filtered by, and how many sessions each choice has. */
    facets() {
      /** @param {string} column */
      const choices = (column) =>
        all(
          `SELECT ${column} AS value, count(*) AS count FROM sessions WHERE ${column} IS NOT NULL
           GROUP BY 1 ORDER BY 1 LIMIT ${CHOICES}`,
        );
      const names = all(
        `SELECT name, count(DISTINCT value) AS kinds FROM properties GROUP BY name ORDER BY name LIMIT ${CHOICES}`,
      );
      return {
        variants: choices("variant"),
        statuses: choices("status"),
        ratings: choices("rating"),
        // What nearly every session has another value of is searched for, not chosen.
        properties: names
          .filter(({ kinds }) => kinds <= CHOICES)
          .map(({ name }) => ({
            name,
            choices: all(
              `SELECT value, count(*) AS count FROM properties WHERE name = ? GROUP BY value ORDER BY count DESC, value`,
              name,
            ),
          })),
      };
    },

    /**
     * Column by column, as plots want them.
     * @param {Filters} filters
     */
    points(filters) {
      const { where, values } = condition(filters);
      const rows = all(
        `SELECT started_at, variant, cost, latency, rating FROM sessions
         WHERE ${where} ORDER BY number DESC LIMIT ${POINTS}`,
        ...values,
      );
      /** @param {string} name */
      const column = (name) => rows.map((row) => row[name]);
      return {
        started_at: column("started_at"),
        variant: column("variant"),
        cost: column("cost"),
        latency: column("latency"),
        rating: column("rating"),
      };
    },

    /** @returns {number} enrichments that clients say they made */
    said: () => sql.exec("SELECT coalesce(sum(said), 0) AS said FROM sessions").one().said,

    /**
     * @param {string} key
     * @param {string} id
     * @returns {number}
     */
    numberOf: (key, id) =>
      sql.exec("SELECT number FROM sessions WHERE id = ? AND key = ?", id, key).one().number,
  };
}
