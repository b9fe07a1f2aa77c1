// The viewer's side of the backend: routes under /_local/view that list, count and follow what is stored
// in SQLite. They change nothing; faults are switched by /_local/faults.

import { Hono } from "hono";
import { integer } from "../query.js";
import { live } from "./live.js";
import { sessionViews } from "./sessions.js";
import { wire } from "./wire.js";

/** @typedef {import("../store.js").Store} Store */

const PAGE_SIZE = 60;
const LARGEST_PAGE = 500;

/**
 * @param {import("../sqlite-store.js").Storage} storage
 * @param {Store} store in that storage
 */
export function views({ sql }, store) {
  const sessions = sessionViews(sql);
  const requests = wire(sql);
  const viewers = live(({ sessions: numbers, requests: named }, filters) => ({
    changed: numbers,
    sessions: numbers.length > 0 ? sessions.among(filters, numbers) : [],
    requests: named,
    sums: sums(),
  }));

  const sums = () => ({ ...requests.sums(), said: sessions.said(), sessions: store.count() });

  const routes = new Hono();

  routes.get("/sessions", (c) =>
    c.json(sessions.page(c.req.query(), { limit: limit(c.req), before: before(c.req) })),
  );
  routes.get("/facets", (c) => c.json(sessions.facets()));
  routes.get("/points", (c) => c.json(sessions.points(c.req.query())));
  routes.get("/wire", (c) =>
    c.json({
      sums: sums(),
      requests: requests.list({
        session: c.req.query("session"),
        limit: limit(c.req),
        before: before(c.req),
      }),
    }),
  );
  routes.get("/live", (c) => viewers.open(c.req.query()));

  return {
    routes,

    /** @type {Store} tells viewers of what is written */
    store: {
      ...store,
      write(key, event, change) {
        store.write(key, event, change);
        viewers.session(sessions.numberOf(key, event.event_id));
      },
      writeEvent(key, event, change) {
        store.writeEvent(key, event, change);
        viewers.session(sessions.numberOf(key, event.session_id));
      },
      writeSpan(key, id, span) {
        store.writeSpan(key, id, span);
        if (id !== null) viewers.session(sessions.numberOf(key, id));
      },
      clear() {
        store.clear();
        requests.clear();
        viewers.everything();
      },
    },

    /** @param {import("../request-log.js").Exchange} exchange one that is over */
    ended(exchange) {
      if (exchange.method !== "POST" && exchange.method !== "PUT") return;
      viewers.request(requests.add(exchange));
    },
  };
}

/** @param {import("../query.js").Asked} asked */
const limit = (asked) =>
  Math.min(integer(asked, "limit", { least: 1, fallback: PAGE_SIZE }), LARGEST_PAGE);

/** @param {import("../query.js").Asked} asked */
const before = (asked) => integer(asked, "before", { least: 1, fallback: Number.MAX_SAFE_INTEGER });
