// What the wire did: how many calls became how many requests, what failed and was tried again, and a
// switch that makes it fail.

import { html, nothing } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { duration, many, time } from "./pieces.js";

/** @typedef {import("./api.js").WireRequest} WireRequest */
/** @typedef {import("./api.js").Sums} Sums */

/** @param {boolean} isOn @param {() => void} onSwitch */
export const faultSwitch = (isOn, onSwitch) =>
  html`<button
    type="button"
    role="switch"
    class="switch"
    aria-checked=${isOn ? "true" : "false"}
    @click=${onSwitch}
  >
    <span class="track" aria-hidden="true"></span>Faults
  </button>`;

/** @param {Sums | undefined} sums @param {boolean} hasFaults */
export function lossSentence(sums, hasFaults) {
  if (!sums) return "";
  if (sums.open > 0)
    return `${many(sums.open, "write")} failed and ${sums.open === 1 ? "is" : "are"} on the way again.`;
  if (sums.failed > 0) return "Nothing is lost: what failed was stored by a later try.";
  return hasFaults ? "Nothing has failed yet: chat a little." : "Nothing has failed.";
}

/** @param {import("./state.js").State} state */
export function wireView({ sums, requests, hasFaults }) {
  return html`<h2 class="hidden">The wire</h2>
    <p class="verdict" role="status" data-open=${sums && sums.open > 0 ? "true" : "false"}>
      ${lossSentence(sums, hasFaults)}
    </p>
    ${
      sums
        ? html`<dl class="sums">
            ${sum(sums.said, "calls made")} ${sum(sums.requests, "requests")}
            ${sum(sums.failed, "failed")} ${sum(sums.retries, "tries again")}
            ${sum(sums.open, "not stored")}
          </dl>`
        : nothing
    }
    <div class="scroll" tabindex="0" role="region" aria-label="Last requests">
      <table>
        <caption>
          Last requests
        </caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Request</th>
            <th scope="col">Answer</th>
            <th scope="col" class="number">Try</th>
            <th scope="col" class="number">Took</th>
            <th scope="col" class="number">Bytes</th>
          </tr>
        </thead>
        <tbody>
          ${repeat(requests, ({ number }) => number, requestRow)}
        </tbody>
      </table>
    </div>`;
}

/** @param {number} value @param {string} name */
const sum = (value, name) =>
  html`<div>
    <dt>${name}</dt>
    <dd>${value.toLocaleString("en")}</dd>
  </div>`;

/** @param {WireRequest} request */
function requestRow({ at, method, path, session, status, fate, try: number, ms, bytes }) {
  const kind = status === null || status >= 400 ? "bad" : "good";
  const name =
    session === null ? path.replace(/^\/opentelemetry/, "…") : path.replace(session, "…");
  return html`<tr>
    <td>${time(at)}</td>
    <td>
      ${session === null ? html`${method} ${name}` : html`<a href="#${session}">${method} ${name}</a>`}
    </td>
    <td class=${kind}>${status ?? fate}</td>
    <td class="number">${number > 1 ? html`<b>${number}</b>` : number}</td>
    <td class="number">${duration(ms)}</td>
    <td class="number">${bytes.toLocaleString("en")}</td>
  </tr>`;
}
