// The session viewer: asks for what is shown, follows what changes, and draws.

import { html, nothing, render } from "lit-html";
import { cache } from "lit-html/directives/cache.js";
import { guard } from "lit-html/directives/guard.js";
import * as api from "./api.js";
import { filterBar } from "./filters.js";
import { sessionList } from "./list.js";
import { sessionView } from "./session.js";
import { firstState, fromAddress, keepInAddress } from "./state.js";
import { faultSwitch, lossSentence, wireView } from "./wire.js";

const state = firstState();

/** Requests that the wire's table shows. */
const LAST_REQUESTS = 60;
/** The plots show thousands of sessions: once in a while is live enough. */
const PLOT_EVERY_MS = 2000;
const FRESH_MS = 1600;
const TYPING_MS = 150;

let isDrawing = false;
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  queueMicrotask(() => {
    isDrawing = false;
    render(app(), document.body);
  });
}

function app() {
  const { view, sums } = state;
  const shown = view === "list" ? "figures" : view;
  return html`<header class="top">
      <div class="name">
        <img src="/viewer/icon.svg" alt="" width="36" height="36" />
        <div>
          <h1>Sessions</h1>
          <p class="live" data-live=${state.isLive ? "true" : "false"}>
            ${state.trouble || (state.isLive ? "live" : "connecting…")}
          </p>
        </div>
      </div>
      <nav aria-label="View" data-view=${view}>
        ${tab("list", "Sessions")} ${tab("figures", "Figures")} ${tab("wire", "Wire")}
      </nav>
      <p class="brief" aria-hidden="true">${lossSentence(sums, state.hasFaults)}</p>
      ${faultSwitch(state.hasFaults, toggleFaults)}
    </header>
    <main data-view=${view}>
      <section class="list" aria-label="Sessions">
        ${filterBar(state, changeFilter)} ${sessionList(state, loadMore)}
      </section>
      <section class="detail" aria-label=${shown === "session" ? "Session" : "Overview"}>
        ${cache(
          shown === "session"
            ? guard([state.whole, state.tries, state.step, state.id], () =>
                sessionView(state, chooseStep),
              )
            : shown === "wire"
              ? wireView(state)
              : guard([state.points, plotWidth()], figures),
        )}
      </section>
    </main>`;

  function figures() {
    const { points, drawFigures } = state;
    return points && drawFigures
      ? drawFigures(points, plotWidth())
      : html`<p class="hint">Loading…</p>`;
  }

  /** @param {import("./state.js").View} name @param {string} title */
  function tab(name, title) {
    const isHere = view === name;
    return html`<a href="#${name}" data-tab=${name} aria-current=${isHere ? "page" : "false"}
      >${title}${
        name === "wire" && sums && sums.open > 0
          ? html` <span class="badge">${sums.open}</span>`
          : nothing
      }</a
    >`;
  }
}

/** @returns {number} pixels */
function plotWidth() {
  const room = innerWidth >= 1024 ? innerWidth - 480 : innerWidth - 48;
  return Math.round(Math.min(820, Math.max(300, room)) / 20) * 20;
}

/** Does it, and says so where it fails. @param {Promise<unknown>} work */
function attempt(work) {
  work.then(
    () => {
      state.trouble = "";
      draw();
    },
    (error) => {
      state.trouble = error instanceof Error ? error.message : String(error);
      draw();
    },
  );
}

let asked = 0;
async function loadSessions() {
  asked += 1;
  const mine = asked;
  const { sessions, cursor, total } = await api.askSessions(state.filters);
  if (mine !== asked) return;
  Object.assign(state, { rows: sessions, cursor, total });
  performance.mark("first-content");
}

let isLoadingMore = false;
function loadMore() {
  if (state.cursor === null || isLoadingMore) return;
  isLoadingMore = true;
  const before = state.cursor;
  const mine = asked;
  attempt(
    api.askSessions(state.filters, before).then(({ sessions, cursor }) => {
      isLoadingMore = false;
      if (mine !== asked) return;
      state.rows = [...(state.rows ?? []), ...sessions];
      state.cursor = cursor;
    }),
  );
}

const loadFacets = async () => (state.facets = await api.askFacets());
/** The plots' library is most of the page: the sessions do not wait for it. */
async function loadPoints() {
  const [points, figures] = await Promise.all([
    api.askPoints(state.filters),
    import("./figures.js"),
  ]);
  Object.assign(state, { points, drawFigures: figures.figuresView });
}

async function loadWire() {
  const { sums, requests } = await api.askWire();
  Object.assign(state, { sums, requests });
}

async function loadSession() {
  const { id } = state;
  if (id === undefined) return;
  const [whole, { requests }] = await Promise.all([api.askSession(id), api.askWire(id)]);
  if (id !== state.id) return;
  Object.assign(state, { whole, tries: requests });
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let plotting;
function plotSoon() {
  plotting ??= setTimeout(() => {
    plotting = undefined;
    attempt(Promise.all([loadPoints(), loadFacets()]));
  }, PLOT_EVERY_MS);
}

/** @param {import("./api.js").News} news */
function take({ isWhole, changed, sessions, requests, sums }) {
  state.sums = sums;
  state.requests = [...requests.toReversed(), ...state.requests].slice(0, LAST_REQUESTS);
  if (!isWhole) attempt(Promise.all([loadSessions(), loadWire(), loadFacets()]));
  else if (state.rows && changed.length > 0) state.rows = merged(state.rows, changed, sessions);
  markFresh(changed);
  if (changed.length > 0) plotSoon();
  const isChosen = requests.some(({ session }) => session === state.id);
  if (isChosen || sessions.some(({ id }) => id === state.id)) attempt(loadSession());
  draw();
}

/**
 * @param {import("./api.js").Row[]} rows
 * @param {number[]} changed
 * @param {import("./api.js").Row[]} news those of them that pass the filters
 */
function merged(rows, changed, news) {
  const gone = new Set(changed);
  const known = new Set(rows.map(({ number }) => number));
  const kept = rows.filter(({ number }) => !gone.has(number));
  const oldest = state.cursor ?? 0;
  const shown = news.filter(({ number }) => number >= oldest);
  const added = shown.filter(({ number }) => !known.has(number)).length;
  const left = rows.length - kept.length - (shown.length - added);
  state.total += added - left;
  return [...shown, ...kept].sort((a, b) => b.number - a.number);
}

/** @param {number[]} numbers */
function markFresh(numbers) {
  for (const number of numbers) state.fresh.add(number);
  setTimeout(() => {
    for (const number of numbers) state.fresh.delete(number);
    draw();
  }, FRESH_MS);
}

let unfollow = () => {};
function follow() {
  unfollow();
  unfollow = api.follow(state.filters, {
    onNews: take,
    onState(isOpen) {
      // What happened while nobody listened is asked for.
      const isBack = isOpen && !state.isLive;
      state.isLive = isOpen;
      if (isBack) attempt(Promise.all([loadSessions(), loadWire(), loadSession()]));
      draw();
    },
  });
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let typing;
/** @type {import("./filters.js").OnFilter} */
function changeFilter(name, value) {
  const { [name]: _, ...others } = state.filters;
  state.filters = name === "" ? {} : value === "" ? others : { ...others, [name]: value };
  keepInAddress(state.filters);
  draw();
  clearTimeout(typing);
  typing = setTimeout(
    () => {
      attempt(Promise.all([loadSessions(), loadPoints()]));
      follow();
    },
    name === "q" ? TYPING_MS : 0,
  );
}

/** @param {number} step */
function chooseStep(step) {
  state.step = step;
  draw();
}

function toggleFaults() {
  const isOn = !state.hasFaults;
  state.hasFaults = isOn;
  attempt(api.switchFaults(isOn));
  draw();
}

function go() {
  const { view, id } = fromAddress();
  const isOther = id !== state.id;
  Object.assign(state, { view, id });
  if (isOther) Object.assign(state, { whole: undefined, tries: [], step: undefined });
  if (id === undefined) return draw();
  attempt(
    loadSession().then(() => {
      draw();
      // A screen reader follows the eye.
      queueMicrotask(() => {
        const title = document.querySelector(".detail h2");
        if (title instanceof HTMLElement) title.focus();
      });
    }),
  );
}

addEventListener("hashchange", go);
addEventListener("resize", draw);

draw();
attempt(loadSessions());
attempt(loadWire());
attempt(loadFacets());
attempt(api.askFaults().then((hasFaults) => (state.hasFaults = hasFaults)));
attempt(loadPoints());
if (state.id !== undefined) attempt(loadSession());
follow();
