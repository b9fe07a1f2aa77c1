// Small things that several parts of the viewer show: a time, a rating, a variant, a status.

import { html, nothing } from "lit-html";
import { formatCost, formatDuration } from "../page/format.js";

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const shortClock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

/** @param {number} at Unix milliseconds */
export const time = (at) => clock.format(at);

/** The time today, else day and time. @param {number} at Unix milliseconds */
export function when(at) {
  const isToday = new Date(at).toDateString() === new Date().toDateString();
  return isToday ? shortClock.format(at) : `${day.format(at)}, ${shortClock.format(at)}`;
}

/** @param {number} count @param {string} noun */
export const many = (count, noun) =>
  `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** @param {number | null} usd */
export const cost = (usd) => (usd === null ? "–" : formatCost(usd));

/** @param {number | null} ms */
export const duration = (ms) => (ms === null ? "–" : formatDuration(ms));

/** @param {string | null} variant */
export const variantChip = (variant) =>
  variant === null
    ? nothing
    : html`<span class="chip variant" data-variant=${variant}
        ><span class="hidden">Variant </span>${variant}</span
      >`;

/** @param {string | null} status */
export const statusChip = (status) =>
  status === null
    ? nothing
    : html`<span class="chip status" data-status=${status}>${status.replaceAll("_", " ")}</span>`;

/** @param {{rating: number | null, thumbs_up: number | null, thumbs_down: number | null}} row */
export function rating({ rating: stars, thumbs_up: up, thumbs_down: down }) {
  if (stars !== null) {
    return html`<span class="stars" role="img" aria-label="Rated ${stars} of 5"
      >${"★".repeat(Math.round(stars))}<span class="off"
        >${"★".repeat(Math.max(0, 5 - Math.round(stars)))}</span
      ></span
    >`;
  }
  return html`${thumbs(up, "up")}${thumbs(down, "down")}`;
}

const THUMB =
  "M7 10v11H3V10zm2 11V10l4-8a2.5 2.5 0 0 1 2.4 3.1L14.5 9H20a2 2 0 0 1 2 2.4l-1.5 8A2 2 0 0 1 18.5 21z";

/** @param {number | null} count @param {"up" | "down"} way */
function thumbs(count, way) {
  if (!count) return nothing;
  return html`<span class="thumbs" role="img" aria-label="${count} thumbs ${way}"
    ><svg viewBox="0 0 24 24" aria-hidden="true">
      <path d=${THUMB} transform=${way === "down" ? "rotate(180 12 12)" : "rotate(0)"} /></svg
    >${count}</span
  >`;
}
