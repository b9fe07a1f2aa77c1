// The test side, under /_local: what came, what is stored, and the switches for faults and modes. No
// HoneyHive has these.

import { Hono } from "hono";
import { cors } from "hono/cors";
import { parsed } from "./body.js";
import { noEvent } from "./errors.js";
import { faults, faultsSchema } from "./faults.js";
import { modeSchema } from "./mode.js";
import { integer, pageOf } from "./query.js";
import { exchangeJson } from "./request-log.js";
import { check } from "./schemas.js";

/**
 * @param {object} backend
 * @param {import("./store.js").Store} backend.store
 * @param {() => import("./run.js").Run} backend.currentRun
 * @param {() => void} backend.reset
 */
export function localRoutes({ store, currentRun, reset }) {
  const routes = new Hono();

  routes.use(cors());

  routes.delete("/", (c) => {
    reset();
    return c.json({ success: true });
  });

  routes.get("/requests", (c) => {
    const records = currentRun().log.read({
      since: integer(c.req, "since", { least: 0, fallback: 0 }),
      session: c.req.query("session"),
      limit: integer(c.req, "limit", { least: 1, fallback: Infinity }),
    });
    const list = `[${records.map(exchangeJson).join(",\n")}]`;
    return c.body(list, 200, { "content-type": "application/json" });
  });

  routes.get("/stats", (c) => {
    const run = currentRun();
    return c.json({
      requests: run.log.size(),
      byRoute: Object.fromEntries(run.counts.byRoute),
      byStatus: Object.fromEntries(run.counts.byStatus),
      byFate: Object.fromEntries(run.counts.byFate),
      sessions: store.count(),
      ...run.traffic.stats(),
      faults: run.faults.stats(),
    });
  });

  routes.get("/faults", (c) => c.json(currentRun().faults.stats()));
  routes.put("/faults", async (c) => {
    const json = parsed(await c.req.text());
    const set = check(faultsSchema, Array.isArray(json) ? { rules: json } : json);
    currentRun().faults = faults(set);
    return c.json({ success: true });
  });

  routes.get("/mode", (c) => c.json(currentRun().mode));
  routes.put("/mode", async (c) => {
    currentRun().mode = check(modeSchema, parsed(await c.req.text()));
    return c.json({ success: true });
  });

  routes.get("/sessions", (c) => c.json(pageOf(store, c.req)));

  routes.get("/sessions/:id", (c) => {
    const id = c.req.param("id");
    const found = store.find(id);
    if (found.length === 0) throw noEvent(id);
    return c.json(
      found.map((row) => ({
        ...row,
        timeline: store.timeline(row.key, id),
        events: store.events(row.key, id),
        spans: store.spans(row.key, id),
      })),
    );
  });

  routes.get("/spans", (c) => c.json(store.spans(c.req.query("key") ?? "", null)));

  return routes;
}
