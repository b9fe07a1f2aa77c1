// What the viewer shows: one object, changed in one place, drawn once a frame. Filters, view and chosen
// session are in the address, so that a reload shows the same.

/** @typedef {import("./api.js").Row} Row */
/** @typedef {"list" | "figures" | "wire" | "session"} View list: on a narrow screen; beside the others elsewhere */

/**
 * @typedef {object} State
 * @property {View} view
 * @property {import("./api.js").Filters} filters
 * @property {Row[] | undefined} rows newest first; undefined until they are there
 * @property {number | null} cursor where the next page begins
 * @property {number} total sessions that pass the filters
 * @property {Set<number>} fresh sessions that changed just now
 * @property {import("./api.js").Facets | undefined} facets
 * @property {import("./api.js").Points | undefined} points
 * @property {typeof import("./figures.js").figuresView | undefined} drawFigures there once it is loaded
 * @property {import("./api.js").Sums | undefined} sums
 * @property {import("./api.js").WireRequest[]} requests newest first
 * @property {string | undefined} id of the chosen session
 * @property {import("./api.js").Whole | undefined} whole the chosen session
 * @property {import("./api.js").WireRequest[]} tries of the chosen session, newest first
 * @property {number | undefined} step of the chosen session that is looked at; the last one unless chosen
 * @property {boolean} hasFaults
 * @property {boolean} isLive
 * @property {string} trouble a sentence, or ""
 */

/** @returns {State} */
export function firstState() {
  return {
    ...fromAddress(),
    rows: undefined,
    cursor: null,
    total: 0,
    fresh: new Set(),
    facets: undefined,
    points: undefined,
    drawFigures: undefined,
    sums: undefined,
    requests: [],
    whole: undefined,
    tries: [],
    step: undefined,
    hasFaults: false,
    isLive: false,
    trouble: "",
  };
}

/** @returns {Pick<State, "view" | "filters" | "id">} */
export function fromAddress() {
  const place = location.hash.slice(1);
  const filters = Object.fromEntries(new URLSearchParams(location.search));
  if (place === "figures" || place === "wire") return { view: place, filters, id: undefined };
  if (place !== "" && place !== "list") return { view: "session", filters, id: place };
  return { view: "list", filters, id: undefined };
}

/** @param {import("./api.js").Filters} filters */
export function keepInAddress(filters) {
  const query = new URLSearchParams(filters).toString();
  history.replaceState(null, "", `${query ? `?${query}` : location.pathname}${location.hash}`);
}
