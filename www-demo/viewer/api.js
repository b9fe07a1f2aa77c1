// The viewer's way to the local backend: what it asks, and what it is told without asking.

/** @typedef {import("../backend/views/sessions.js").Row} Row */
/** @typedef {import("../backend/views/wire.js").WireRequest} WireRequest */
/** @typedef {import("../backend/views/wire.js").WireSums & {said: number, sessions: number}} Sums */
/** @typedef {import("../backend/store.js").StoredSession & {timeline: import("../backend/store.js").Change[], events: import("../backend/store.js").StoredEvent[], spans: import("../backend/otlp.js").StoredSpan[]}} Whole */
/** @typedef {{[name: string]: string}} Filters see backend/views/sessions.js */
/** @typedef {{value: string | number, count: number}[]} Choices */
/** @typedef {{variants: Choices, statuses: Choices, ratings: Choices, properties: {name: string, choices: Choices}[]}} Facets */
/** @typedef {{started_at: number[], variant: (string | null)[], cost: (number | null)[], latency: (number | null)[], rating: (number | null)[]}} Points */
/** @typedef {{isWhole: boolean, changed: number[], sessions: Row[], requests: WireRequest[], sums: Sums}} News */

/** What a switch turns on: refusals that pass, an answer that is lost after storing, and slowness. */
const FAULTS = [
  { probability: 0.2, status: 503 },
  { probability: 0.15, status: 429, retryAfter: 1 },
  { probability: 0.1, status: 500, stored: true },
  { probability: 0.5, delayMs: [50, 500] },
];

/** @param {string} path @param {RequestInit} [init] @returns {Promise<any>} */
async function ask(path, init) {
  const answer = await fetch(`/_local/${path}`, init);
  if (answer.ok) return answer.json();
  throw new Error(`The backend answered with status ${answer.status}.`);
}

/** @param {Filters} filters @param {Record<string, string>} [more] */
const query = (filters, more) => new URLSearchParams({ ...filters, ...more });

/** @param {Filters} filters @param {number} [before] @returns {Promise<{sessions: Row[], cursor: number | null, total: number}>} */
export const askSessions = (filters, before) =>
  ask(`view/sessions?${query(filters, before ? { before: `${before}` } : {})}`);

/** @returns {Promise<Facets>} */
export const askFacets = () => ask("view/facets");

/** @param {Filters} filters @returns {Promise<Points>} */
export const askPoints = (filters) => ask(`view/points?${query(filters)}`);

/** @param {string} [session] @returns {Promise<{sums: Sums, requests: WireRequest[]}>} */
export const askWire = (session) => ask(`view/wire${session ? `?session=${session}` : ""}`);

/** @param {string} id @returns {Promise<Whole | undefined>} undefined where there is none */
export async function askSession(id) {
  const answer = await fetch(`/_local/sessions/${encodeURIComponent(id)}`);
  return answer.ok ? (await answer.json())[0] : undefined;
}

/** @returns {Promise<boolean>} */
export const askFaults = async () => (await ask("faults")).length > 0;

/** @param {boolean} on */
export const switchFaults = (on) =>
  ask("faults", { method: "PUT", body: JSON.stringify(on ? FAULTS : []) });

/**
 * @param {Filters} filters
 * @param {{onNews: (news: News) => void, onState: (isOpen: boolean) => void}} listener
 * @returns {() => void} ends it
 */
export function follow(filters, { onNews, onState }) {
  const events = new EventSource(`/_local/view/live?${query(filters)}`);
  events.addEventListener("open", () => onState(true));
  // It connects again by itself.
  events.addEventListener("error", () => onState(false));
  events.addEventListener("message", ({ data }) => onNews(JSON.parse(data)));
  return () => events.close();
}
