// What a list of sessions shows of one, and what it is filtered by, out of the session as stored.
// Clients name things as they like: each figure is looked for under its usual names.

/** @typedef {import("./session.js").SessionEvent} SessionEvent */

const LONGEST_TEXT = 200;

/**
 * @typedef {object} Summary null where the session does not say
 * @property {number} started_at Unix milliseconds
 * @property {string | null} status
 * @property {string | null} variant
 * @property {number | null} rating
 * @property {number | null} thumbs_up
 * @property {number | null} thumbs_down
 * @property {number | null} cost US dollars
 * @property {number | null} latency milliseconds
 * @property {number | null} tokens
 * @property {number | null} said enrichments that the client counted
 * @property {string | null} user
 * @property {string | null} title
 */

/**
 * @param {SessionEvent} event
 * @returns {Summary}
 */
export function summaryOf(event) {
  const { metadata, metrics, feedback, inputs, user_properties: user } = event;
  return {
    // A session told of afterwards says when it ended and how long it took.
    started_at:
      event.end_time !== null && event.duration !== null
        ? event.end_time - event.duration
        : event.start_time,
    status: text(metadata["status"]),
    variant: text(metadata["variant"]) ?? text(metadata["experiment_variant"]),
    rating: number(feedback["rating"]),
    thumbs_up: number(feedback["thumbs_up"]),
    thumbs_down: number(feedback["thumbs_down"]),
    cost: number(metrics["cost_usd"]) ?? number(metrics["cost"]) ?? number(metadata["cost"]),
    latency:
      number(metrics["answer_ms"]) ?? number(metrics["latency_ms"]) ?? number(metrics["latency"]),
    tokens: number(metrics["total_tokens"]) ?? number(metrics["tokens"]),
    said: number(metrics["enrichments"]),
    user: text(user["user_id"]) ?? text(user["id"]),
    title:
      text(inputs["question"]) ??
      Object.values(inputs).map(text).find(Boolean) ??
      text(event.session_name),
  };
}

/**
 * The user properties, which one can filter by where they are text, number or boolean.
 * @param {SessionEvent} event
 * @returns {[name: string, value: string | null][]} null: not to be filtered by
 */
export const propertiesOf = ({ user_properties: properties }) =>
  Object.entries(properties).map(([name, value]) => [
    name,
    ["string", "number", "boolean"].includes(typeof value)
      ? String(value).slice(0, LONGEST_TEXT)
      : null,
  ]);

/** @param {unknown} value */
const number = (value) => (typeof value === "number" ? value : null);

/** @param {unknown} value */
const text = (value) =>
  typeof value === "string" && value !== "" ? value.slice(0, LONGEST_TEXT) : null;
