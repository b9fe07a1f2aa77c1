// A stored session as text to read in a terminal: its fields in a fixed order, values in the units
// people use. Makes a string; fetching and printing are demo.mjs's.

import { formatDuration, formatTime, formatValue } from "./page/format.js";

/** @typedef {import("./backend/session.js").SessionEvent} SessionEvent */

const INDENT = "  ";
const NAME_WIDTH = 20;
const WIDTH = 100;

/** Field, and how a reader finds it: what went in, what came out, then what was said about it. */
const GROUPS = /** @type {const} */ ([
  ["inputs", "Inputs"],
  ["outputs", "Outputs"],
  ["config", "Config"],
  ["metadata", "Metadata"],
  ["metrics", "Metrics"],
  ["feedback", "Feedback"],
  ["user_properties", "User properties"],
]);

/** @param {SessionEvent} session @returns {string} */
export function printSession(session) {
  const lines = [
    `Session ${session.session_id}`,
    ...row("name", session.session_name ?? session.event_name),
    ...row("source", session.source),
    ...row("started", formatTime(session.start_time)),
    ...row("ended", session.end_time === null ? "not yet" : formatTime(session.end_time)),
    ...row("lasted", session.duration === null ? "–" : formatDuration(session.duration)),
  ];
  for (const [field, title] of GROUPS) {
    const entries = Object.entries(session[field]);
    if (entries.length === 0) continue;
    lines.push("", title);
    for (const [key, value] of entries) lines.push(...row(key, formatValue(key, value)));
  }
  return lines.join("\n");
}

/** @param {string} name @param {string} value @returns {string[]} */
function row(name, value) {
  const room = WIDTH - INDENT.length - NAME_WIDTH;
  return wrap(value, room).map(
    (line, index) => INDENT + (index === 0 ? name : "").padEnd(NAME_WIDTH) + line,
  );
}

/** @param {string} text @param {number} width @returns {string[]} */
export function wrap(text, width) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const line = lines[lines.length - 1];
    if (line && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines;
}
