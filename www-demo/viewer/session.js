// One session: what was said of it, change by change, with failed tries and spans between; and its state
// after the change that is looked at, with what that change did.

import { html, nothing } from "lit-html";
import { formatDuration, formatValue } from "../page/format.js";
import { many, rating, statusChip, time, variantChip, when } from "./pieces.js";
import { GROUPS, replay } from "./replay.js";
import { summaryOf } from "../backend/summary.js";

/** @typedef {import("./replay.js").Step} Step */
/** @typedef {import("./replay.js").Difference} Difference */
/** @typedef {import("./api.js").WireRequest} WireRequest */
/** @typedef {import("../backend/otlp.js").StoredSpan} StoredSpan */
/** @typedef {import("../backend/store.js").StoredEvent} StoredEvent */
/** @typedef {{at: number, order: number, show: unknown}} Entry of the timeline */

const LONGEST = 160;

/**
 * @param {import("./state.js").State} state
 * @param {(step: number) => void} onStep
 */
export function sessionView({ id = "", whole, tries, step: chosen }, onStep) {
  if (!whole) return html`<p class="hint">There is no session ${id}.</p>`;
  const steps = replay(whole.event.session_id, whole.timeline);
  const at = Math.min(chosen ?? steps.length - 1, steps.length - 1);
  const step = steps[at];
  const summary = summaryOf(whole.event);
  return html`<header class="session-head">
      <a href="#list" class="back">All sessions</a>
      <h2 tabindex="-1">${summary.title ?? "Session"}</h2>
      <p class="marks">
        ${variantChip(summary.variant)} ${statusChip(summary.status)} ${rating(summary)}
      </p>
      <p class="facts">
        <span>${when(summary.started_at)}</span>
        ${summary.user ? html`<span>${summary.user}</span>` : nothing}
        <code>${whole.event.session_id}</code>
      </p>
    </header>
    <div class="columns">
      <section aria-labelledby="timeline-title">
        <h3 id="timeline-title">What was said, and when</h3>
        ${wireSentence(steps, tries)}
        <ol class="timeline">
          ${timeline(steps, tries, whole.spans, whole.events, at, onStep)}
        </ol>
      </section>
      <section aria-labelledby="state-title" class="state">
        <h3 id="state-title">
          ${at === steps.length - 1 ? "The session now" : `The session after change ${at + 1}`}
        </h3>
        <p class="hint">Marked is what change ${at + 1} did.</p>
        ${step ? stateOf(step) : nothing}
      </section>
    </div>`;
}

/** @param {Step[]} steps @param {WireRequest[]} tries */
function wireSentence(steps, tries) {
  const said = steps.reduce((sum, step) => sum + step.said, 0);
  const again = tries.filter((request) => request.try > 1).length;
  const failed = tries.filter(isFailed).length;
  return html`<p class="hint">
    ${many(tries.length, "request")}${said > 0 ? `, with ${many(said, "call")} of the server in them` : nothing}${
      failed > 0
        ? `; ${failed} failed, ${again} ${again === 1 ? "was a try" : "were tries"} again`
        : nothing
    }.
  </p>`;
}

/** @param {WireRequest} request */
const isFailed = ({ status }) => status === null || status >= 400;

/**
 * @param {Step[]} steps
 * @param {WireRequest[]} tries
 * @param {StoredSpan[]} spans
 * @param {StoredEvent[]} events
 * @param {number} chosen
 * @param {(step: number) => void} onStep
 */
function timeline(steps, tries, spans, events, chosen, onStep) {
  const begin = steps[0]?.change.at ?? 0;
  /** @type {Entry[]} */
  const entries = [
    ...steps.map((step, index) => ({
      at: step.change.at,
      order: 1,
      show: change(step, index, step.change.at - begin, index === chosen, () => onStep(index)),
    })),
    ...tries.filter(isFailed).map((request) => ({
      at: request.at,
      order: 0,
      show: failure(request, request.at - begin),
    })),
    ...spansOf(spans, begin),
    ...eventsOf(events, spans, begin),
  ];
  return entries.sort((a, b) => a.at - b.at || a.order - b.order).map(({ show }) => show);
}

/**
 * @param {Step} step
 * @param {number} index
 * @param {number} offset
 * @param {boolean} isChosen
 * @param {() => void} choose
 */
function change({ change: { at }, differences, said }, index, offset, isChosen, choose) {
  return html`<li class="change">
    <button
      type="button"
      aria-pressed=${isChosen ? "true" : "false"}
      @click=${choose}
      title=${time(at)}
    >
      <span class="head">
        <b>${index === 0 ? "Started" : `Change ${index + 1}`}</b>
        ${said > 1 ? html`<span class="merged">${said} merged</span>` : nothing}
        <span class="offset">${passed(offset)}</span>
      </span>
      <span class="keys">
        ${differences.map(
          ({ group, key, before, after }) =>
            html`<span class="key"
              ><code>${key ? `${group}.${key}` : group}</code> ${
                before === undefined
                  ? nothing
                  : html`<s><span class="hidden">was </span>${short(key || group, before)}</s>`
              }
              ${short(key || group, after)}</span
            >`,
        )}
        ${differences.length === 0 ? html`<span class="hint">said nothing new</span>` : nothing}
      </span>
    </button>
  </li>`;
}

/** @param {WireRequest} request @param {number} offset */
function failure({ status, fate, try: number, stored }, offset) {
  return html`<li class="failure">
    <span class="head">
      <b>Try ${number} failed</b>
      <span>${status ?? fate}${stored ? ", though stored" : ""}</span>
      <span class="offset">${passed(offset)}</span>
    </span>
  </li>`;
}

/** @param {StoredSpan[]} spans @param {number} begin @returns {Entry[]} */
function spansOf(spans, begin) {
  const ms = (/** @type {string} */ nanoseconds) => Number(nanoseconds) / 1e6;
  const parents = new Map(spans.map((span) => [span.span_id, span]));
  return spans.map((span) => {
    const root = parents.get(span.parent_id ?? "") ?? span;
    const [start, end] = [ms(span.start_time), ms(span.end_time)];
    const [from, to] = [ms(root.start_time), ms(root.end_time)];
    const share = (/** @type {number} */ at) => (to > from ? ((at - from) / (to - from)) * 100 : 0);
    return {
      at: start,
      order: span === root ? -2 : -1,
      show: html`<li class="span" data-error=${span.status.code === 2 ? "true" : "false"}>
        <span class="head">
          <b>${span.name}</b>
          <span class="hint">span${span.status.code === 2 ? ", failed" : ""}</span>
          <span>${formatDuration(end - start)}</span>
          <span class="offset">${passed(start - begin)}</span>
        </span>
        <svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
          <rect class="whole" width="100" height="4" rx="0.5" />
          <rect
            x=${share(start)}
            width=${Math.max(1, share(end) - share(start))}
            height="4"
            rx="0.5"
          />
        </svg>
      </li>`,
    };
  });
}

/**
 * The session's other events: where each was made, if no span shows that, and what was said of it since, such as a
 * thumb on one answer.
 * @param {StoredEvent[]} events
 * @param {StoredSpan[]} spans
 * @param {number} begin
 * @returns {Entry[]}
 */
function eventsOf(events, spans, begin) {
  const shown = new Set(spans.map(({ attributes }) => attributes["honeyhive_event_id"]));
  return events.flatMap(({ event, timeline: changes }) =>
    changes
      .filter(({ method }) => method === "PUT" || !shown.has(event.event_id))
      .map(({ at, method, body }) => ({
        at,
        order: 2,
        show: html`<li class="event" title=${event.event_id}>
          <span class="head">
            <b>${event.event_name}</b>
            <span class="hint"
              >${event.event_type} event${method === "PUT" ? ", enriched" : nothing}</span
            >
            <span class="offset">${passed(at - begin)}</span>
          </span>
          ${method === "PUT" ? keysOf(body) : nothing}
        </li>`,
      })),
  );
}

/** @param {unknown} body of an update */
function keysOf(body) {
  const said = /** @type {Record<string, Record<string, unknown>>} */ (body);
  return html`<span class="keys">
    ${GROUPS.flatMap((group) =>
      Object.entries(said[group] ?? {}).map(
        ([key, value]) =>
          html`<span class="key"><code>${group}.${key}</code> ${short(key, value)}</span>`,
      ),
    )}
  </span>`;
}

/** @param {Step} step */
function stateOf({ state, differences }) {
  const changed = new Map(differences.map((each) => [`${each.group}.${each.key}`, each]));
  return html`${GROUPS.map((group) => {
    const entries = Object.entries(state[group]);
    if (entries.length === 0) return nothing;
    return html`<h4>${group.replaceAll("_", " ")}</h4>
      <dl>${entries.map(([key, value]) => pair(key, value, changed.has(`${group}.${key}`)))}</dl>`;
  })}
  ${
    state.end_time === null && state.duration === null
      ? nothing
      : html`<h4>end</h4>
          <dl>
            ${pair("end_time", state.end_time, changed.has("end_time."))}
            ${pair("duration", state.duration, changed.has("duration."))}
          </dl>`
  }`;
}

/** @param {string} key @param {unknown} value @param {boolean} isChanged */
function pair(key, value, isChanged) {
  const text = formatValue(key, value);
  return html`<div class=${isChanged ? "changed" : ""}>
    <dt>${key}</dt>
    <dd>${isChanged ? html`<mark><span class="hidden">Changed: </span>${text}</mark>` : text}</dd>
  </div>`;
}

/** @param {string} key @param {unknown} value */
function short(key, value) {
  const text = value === undefined ? "gone" : formatValue(key, value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** @param {number} ms since the session's start */
const passed = (ms) => (ms < 1 ? "at once" : `+${formatDuration(Math.max(0, ms))}`);
