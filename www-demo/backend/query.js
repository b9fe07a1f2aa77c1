// Numbers and pages asked for in a query string.

import { ApiError } from "./errors.js";

const PAGE_SIZE = 50;
const LARGEST_PAGE = 1000;

/** @typedef {{query: (name: string) => string | undefined}} Asked */

/**
 * @param {Asked} asked
 * @param {string} name
 * @param {{least: number, fallback: number}} options
 * @returns {number}
 */
export function integer(asked, name, { least, fallback }) {
  const text = asked.query(name);
  if (text === undefined) return fallback;
  const value = /^[0-9]+$/.test(text) ? Number(text) : NaN;
  if (value >= least) return value;
  throw new ApiError(400, "BAD_REQUEST", `${name}: must be an integer of at least ${least}`);
}

/**
 * The page that ?limit= and ?cursor= ask for.
 * @param {import("./store.js").Store} store
 * @param {Asked} asked
 * @param {string} [key] only its sessions
 */
export function pageOf(store, asked, key) {
  const limit = integer(asked, "limit", { least: 1, fallback: PAGE_SIZE });
  const before = integer(asked, "cursor", { least: 1, fallback: Infinity });
  const page = store.list({ key, limit: Math.min(limit, LARGEST_PAGE), before });
  return { sessions: page.sessions, cursor: page.before === null ? null : `${page.before}` };
}
