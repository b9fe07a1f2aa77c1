// Which sessions are listed and plotted: by variant, rating, status, a user property, or text.

import { html, nothing } from "lit-html";
import { live } from "lit-html/directives/live.js";

/** @typedef {import("./api.js").Filters} Filters */
/** @typedef {(name: string, value: string) => void} OnFilter "" takes a filter away */

const RATINGS = [
  ["5", "★★★★★"],
  ["4", "★★★★"],
  ["3", "★★★"],
  ["2", "★★"],
  ["1", "★"],
  ["up", "Thumbs up"],
  ["down", "Thumbs down"],
  ["none", "Not rated"],
];

/**
 * @param {import("./state.js").State} state
 * @param {OnFilter} onFilter
 */
export function filterBar({ filters, facets }, onFilter) {
  /** @param {import("./api.js").Choices | undefined} choices */
  const options = (choices) =>
    (choices ?? []).map(({ value, count }) => [
      `${value}`,
      `${value} (${count.toLocaleString("en")})`,
    ]);
  return html`<form class="filters" role="search" aria-label="Filter sessions" @submit=${prevent}>
    <input
      type="search"
      name="q"
      aria-label="Question, user or id"
      placeholder="Question, user or id"
      .value=${live(filters["q"] ?? "")}
      @input=${(/** @type {any} */ event) => onFilter("q", event.target.value.trim())}
    />
    ${choice("variant", "Variant", options(facets?.variants))}
    ${choice("rating", "Rating", RATINGS)} ${choice("status", "Status", options(facets?.statuses))}
    ${
      facets?.properties.length
        ? html`<select
            aria-label="User property"
            @change=${(/** @type {any} */ event) => onFilter("property", event.target.value)}
            .value=${live(filters["property"] ?? "")}
          >
            <option value="">User property</option>
            ${facets.properties.map(
              ({ name, choices }) =>
                html`<optgroup label=${name}>
                  ${choices.map(({ value, count }) =>
                    option("property", `${name}=${value}`, `${name}: ${value} (${count})`),
                  )}
                </optgroup>`,
            )}
          </select>`
        : nothing
    }
    ${
      Object.keys(filters).length > 0
        ? html`<button type="button" class="quiet" @click=${() => onFilter("", "")}>Clear</button>`
        : nothing
    }
  </form>`;

  /** @param {string} name @param {string} value @param {string} text */
  function option(name, value, text) {
    return html`<option value=${value} ?selected=${filters[name] === value}>${text}</option>`;
  }

  /** @param {string} name @param {string} title @param {string[][]} given */
  function choice(name, title, given) {
    return html`<select
      aria-label=${title}
      .value=${live(filters[name] ?? "")}
      @change=${(/** @type {any} */ event) => onFilter(name, event.target.value)}
    >
      <option value="">${title}</option>
      ${given.map(([value = "", text = ""]) => option(name, value, text))}
    </select>`;
  }
}

/** @param {Event} event */
const prevent = (event) => event.preventDefault();
