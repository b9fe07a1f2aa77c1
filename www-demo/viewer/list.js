// The sessions, newest first, a page at a time: the next one comes when the end is near.

import { html, nothing } from "lit-html";
import { ref } from "lit-html/directives/ref.js";
import { repeat } from "lit-html/directives/repeat.js";
import { cost, duration, many, rating, statusChip, variantChip, when } from "./pieces.js";

/** @typedef {import("./api.js").Row} Row */

/**
 * @param {import("./state.js").State} state
 * @param {() => void} onEnd the last row is nearly in sight
 */
export function sessionList({ rows, total, cursor, fresh, id, filters }, onEnd) {
  if (!rows) return html`<p class="hint">Loading…</p>`;
  const isFiltered = Object.keys(filters).length > 0;
  if (rows.length === 0) {
    return html`<p class="hint">
      ${isFiltered ? "No session passes these filters." : "No session yet: chat, and it shows here."}
    </p>`;
  }
  return html`<p class="hint count" role="status">
      ${many(total, "session")}${isFiltered ? " pass these filters" : ""}
    </p>
    <ul class="sessions">
      ${repeat(
        rows,
        (row) => row.number,
        (row) =>
          html`<li class=${fresh.has(row.number) ? "fresh" : ""}>
            ${sessionRow(row, row.id === id)}
          </li>`,
      )}
    </ul>
    ${
      cursor === null
        ? nothing
        : html`<button type="button" class="quiet more" ${ref(whenSeen(onEnd))} @click=${onEnd}>
            More sessions
          </button>`
    }`;
}

/** @param {Row} row @param {boolean} isChosen */
function sessionRow(row, isChosen) {
  return html`<a href="#${row.id}" class="row" aria-current=${isChosen ? "true" : "false"}>
    <span class="title">${row.title ?? row.id}</span>
    <span class="marks">${variantChip(row.variant)} ${statusChip(row.status)} ${rating(row)}</span>
    <span class="facts">
      <span>${when(row.started_at)}</span>
      ${row.user ? html`<span>${row.user}</span>` : nothing}
      <span>${cost(row.cost)}</span>
      <span>${duration(row.latency)}</span>
    </span>
  </a>`;
}

/** @param {() => void} onSeen @returns {(element: Element | undefined) => void} */
function whenSeen(onSeen) {
  return (element) => {
    observer.disconnect();
    seen = onSeen;
    if (element) observer.observe(element);
  };
}

let seen = () => {};
const observer = new IntersectionObserver(
  (entries) => {
    if (entries.some(({ isIntersecting }) => isIntersecting)) seen();
  },
  { rootMargin: "600px" },
);
