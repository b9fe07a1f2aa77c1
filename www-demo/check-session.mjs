// Holds a stored session against the conversation it was written by: what the visitor said and saw
// has to be in it, and the totals have to be the sum of what each model call used.

import { isDeepStrictEqual } from "node:util";
import { formatValue } from "./page/format.js";

/** @typedef {import("./backend/session.js").SessionEvent} SessionEvent */
/** @typedef {import("./script.mjs").Played} Played */

/** Costs are fractions, added up in different orders: equal to a millionth of a cent. */
const COST_TOLERANCE = 1e-8;

/**
 * @param {import("./backend/event.js").ChildEvent[]} events of the session
 * @param {Played} played
 * @returns {string[]} A sentence for each answer whose event does not hold what the visitor said of it.
 */
export function unratedAmong(events, { turns }) {
  return turns.flatMap(({ event, rating }, index) => {
    const stored = events.find(({ event_id }) => event_id === event?.eventId)?.feedback;
    if (isDeepStrictEqual(stored, rating)) return [];
    return `The event of answer ${index + 1} should be rated ${show("", rating)}; stored is ${show("", stored)}.`;
  });
}

/**
 * @param {SessionEvent} session
 * @param {Played} played
 * @returns {string[]} A sentence for each thing that was said and is not stored.
 */
export function missingFrom(session, played) {
  const { turns, visitor } = played;
  /** @type {[field: string, stored: unknown, expected: unknown][]} */
  const facts = [
    ["inputs.question", session.inputs.question, turns[0]?.question],
    ["outputs.answer", session.outputs.answer, turns.at(-1)?.answer],
    ["outputs.turns", session.outputs.turns, turns.length],
    ["user_properties.user_id", session.user_properties.user_id, visitor.id],
    ["user_properties.locale", session.user_properties.locale, visitor.locale],
    ["user_properties.device", session.user_properties.device, visitor.device],
    ["metadata.status", session.metadata.status, "completed"],
    ["metadata.variant", session.metadata.variant, played.variant],
    ["metadata.turn", session.metadata.turn, turns.length],
    ["feedback.rating", session.feedback.rating, played.overall],
  ];
  for (const [index, { rating }] of turns.entries()) {
    facts.push([`feedback.answer_${index + 1}`, session.feedback[`answer_${index + 1}`], rating]);
  }
  for (const thumb of ["up", "down"]) {
    const given = turns.filter(({ rating }) => rating.thumb === thumb).length;
    facts.push([`feedback.thumbs_${thumb}`, session.feedback[`thumbs_${thumb}`], given]);
  }
  for (const [key, total] of Object.entries(totalsOf(turns))) {
    const stored = session.metrics[key];
    const isClose = typeof stored === "number" && Math.abs(stored - total) < COST_TOLERANCE;
    facts.push([`metrics.${key}`, isClose ? total : stored, total]);
  }
  const wrong = facts
    .filter(
      ([, stored, expected]) => expected === undefined || !isDeepStrictEqual(stored, expected),
    )
    .map(
      ([field, stored, expected]) =>
        `${field} should be ${show(field, expected)}; stored is ${show(field, stored)}.`,
    );
  if (!session.end_time) wrong.push("The session has no end.");
  if (!session.duration) wrong.push("The session has no duration.");
  return [...played.problems, ...wrong];
}

/** @param {import("./script.mjs").Turn[]} turns */
function totalsOf(turns) {
  /** @type {Record<string, number>} */
  const totals = {};
  for (const used of turns.flatMap((turn) => turn.used)) {
    for (const [key, value] of Object.entries(used)) totals[key] = (totals[key] ?? 0) + value;
  }
  return totals;
}

/** @param {string} field @param {unknown} value */
function show(field, value) {
  return value === undefined ? "nothing" : formatValue(field.split(".").at(-1) ?? "", value);
}
