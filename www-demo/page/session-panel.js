// The panel beside the chat: the session's id, its totals, and each enrichment with who wrote it and
// whether it was stored.

import { find } from "./messages.js";
import { formatCost, formatValue } from "./format.js";

const LONGEST_VALUE = 140;

/** @typedef {"Worker" | "This page"} Author */
/** @typedef {{ stored(): void, lost(reason: string): void }} Mark */

/** @param {string} selector */
const at = (selector) => find(document, selector, HTMLElement);

export function sessionPanel() {
  const details = find(document, "#session", HTMLDetailsElement);
  // Beside the chat where there is room: always open. Above it on a phone: opened by hand.
  const wide = matchMedia("(min-width: 56rem)");
  const follow = () => (details.open = wide.matches);
  wide.addEventListener("change", follow);
  follow();

  let tokens = 0;
  let cost = 0;
  let count = 0;
  let id = "";

  function summarise() {
    at("#session-summary").textContent = id
      ? `Session ${id.slice(0, 8)} · ${count} enrichment${count === 1 ? "" : "s"}`
      : "Session: begins with your first message";
    at("#session-tokens").textContent = formatValue("tokens", tokens);
    at("#session-cost").textContent = formatCost(cost);
  }

  return {
    /** @param {{ sessionId: string, variant: string, model: string }} session */
    begin(session) {
      id = session.sessionId;
      at("#session-id").textContent = id;
      at("#session-variant").textContent = session.variant;
      at("#session-model").textContent = session.model;
      summarise();
    },

    /** @param {Record<string, number>} metrics */
    count(metrics) {
      tokens += metrics.total_tokens ?? 0;
      cost += metrics.cost_usd ?? 0;
      summarise();
    },

    /** @param {Author} author @param {Record<string, unknown>} fields @param {string} [sign] Put before each value. @returns {Mark} */
    add(author, fields, sign = "") {
      count += 1;
      at("#enrichments-none").hidden = true;
      const entry = element("li", author === "Worker" ? "worker" : "page");
      const state = element("span", "state", "sending…");
      const head = element("p", "head");
      head.append(element("span", "author", author), state);
      entry.append(head);
      for (const [field, value] of Object.entries(fields))
        entry.append(describe(field, value, sign));
      at("#enrichments").prepend(entry);
      summarise();
      return {
        stored() {
          state.textContent = "stored";
          entry.classList.add("stored");
        },
        lost(reason) {
          state.textContent = `not stored: ${reason}`;
          entry.classList.add("lost");
        },
      };
    },

    clear() {
      id = "";
      tokens = cost = count = 0;
      at("#enrichments").replaceChildren();
      at("#enrichments-none").hidden = false;
      at("#session-id").textContent = "begins with your first message";
      at("#session-variant").textContent = at("#session-model").textContent = "–";
      summarise();
    },
  };
}

/** @param {string} field @param {unknown} value @param {string} sign */
function describe(field, value, sign) {
  const line = element("p", "field");
  line.append(element("code", "", field));
  /** @type {[key: string, value: unknown][]} */
  const pairs = typeof value === "object" && value !== null ? Object.entries(value) : [["", value]];
  for (const [key, inner] of pairs) {
    const said = sign + formatValue(key || field, inner);
    const pair = element("span", "pair");
    if (key) pair.append(element("b", "", key), " ");
    pair.append(said.length > LONGEST_VALUE ? `${said.slice(0, LONGEST_VALUE)}…` : said);
    line.append(pair);
  }
  return line;
}

/** @param {string} name @param {string} [className] @param {string} [text] */
function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
