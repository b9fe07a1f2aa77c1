// A local HoneyHive: its routes for sessions, events and spans, really storing, plus routes under /_local with
// which tests switch faults on and look at what came. Request in, Response out, no Node APIs: runs in
// workerd as well. Cutting connections is left to whoever holds them (server.mjs).

import { Hono } from "hono";
import { cors } from "hono/cors";
import { jsonOf } from "./body.js";
import { ApiError, errorBody, noEvent } from "./errors.js";
import { createEvent, eventOfSpan, isFound, recreateEvent } from "./event.js";
import { htmlPage } from "./faults.js";
import { localRoutes } from "./local-routes.js";
import { DEFAULT_MODE, hasRoutes } from "./mode.js";
import { observe } from "./observe.js";
import { sessionOf, spansOf, tracesSchema } from "./otlp.js";
import { pageOf } from "./query.js";
import { newRun } from "./run.js";
import {
  batchSchema,
  check,
  eventSchema,
  isJsonObject,
  isUuid,
  legacyEventSchema,
  legacySessionSchema,
  legacyUpdateSchema,
  searchSchema,
  sessionBatchSchema,
  sessionSchema,
  updateSchema,
} from "./schemas.js";
import { restartSession, startSession, updateEvent } from "./session.js";
import { memoryStore } from "./store.js";

/** @typedef {import("./observe.js").Context} Context */

/**
 * @typedef {object} BackendOptions
 * @property {import("./store.js").Store} [store] in memory unless given
 * @property {number} [maxBodyBytes] over this a request is refused with 413; 5,000,000. HoneyHive says
 *   "5 MB": the smaller of the two readings, so that who passes here passes there
 * @property {number} [logRecords] requests kept in the log; 50,000
 * @property {number} [logBytes] characters of their bodies kept; 64 Mi
 * @property {Hono} [views] further routes, under /_local/view
 * @property {(exchange: import("./request-log.js").Exchange) => void} [onRequest] told of each that is over
 */

/**
 * @typedef {object} Backend
 * @property {(request: Request, connection?: import("./connection.js").Connection) => Promise<Response>} fetch
 *   never rejects. Without a connection to cut, a cut shows as an answer whose body breaks off
 */

/**
 * @param {BackendOptions} [options]
 * @returns {Backend}
 */
export function createBackend({
  store = memoryStore(),
  maxBodyBytes = 5_000_000,
  logRecords = 50_000,
  logBytes = 64 * 1024 * 1024,
  views,
  onRequest = () => {},
} = {}) {
  let run = newRun({ logRecords, logBytes });
  const currentRun = () => run;
  const reset = () => {
    const before = run;
    run = newRun({ logRecords, logBytes });
    store.clear();
    before.over.abort();
  };

  /** @type {Hono<import("./observe.js").Env>} */
  const app = new Hono();

  app.onError((error, c) => {
    if (error instanceof ApiError) {
      return refusal(c, error.status, error.errorCode, error.message);
    }
    console.error(error);
    return refusal(c, 500, "INTERNAL", "The local backend failed.");
  });

  app.notFound((c) => {
    const { missing, html } = c.get("run")?.mode ?? DEFAULT_MODE;
    if (html) return c.html(htmlPage(`${missing}`), missing);
    return refusal(c, missing, "ROUTE_NOT_FOUND", `Cannot ${c.req.method} ${c.req.path}`);
  });

  if (views) app.route("/_local/view", views);
  app.route("/_local", localRoutes({ store, currentRun, reset }));

  const observed = observe(currentRun, { maxBodyBytes, onRequest });
  app.use("*", (c, next) => (/^\/_local(?:\/|$)/.test(c.req.path) ? next() : observed(c, next)));

  // As browsers hold a client to it: an older deployment or a proxy may not allow more than these.
  app.use("*", cors({ allowHeaders: ["authorization", "content-type"], maxAge: 600 }));

  app.post("/v1/sessions", requireRoutes("v1"), (c) => {
    const key = keyOf(c);
    return c.json(start(c, key, check(sessionSchema, bodyOf(c))));
  });

  app.post("/session/start", requireRoutes("legacy"), (c) => {
    const key = keyOf(c);
    const body = bodyOf(c);
    const wrapped = isJsonObject(body) ? body["session"] : undefined;
    // `project` is passed over: the key implies it.
    return c.json(start(c, key, check(legacySessionSchema, wrapped, "session")));
  });

  app.put("/v1/events/:id", requireRoutes("v1"), (c) => {
    const key = keyOf(c);
    const id = c.req.param("id");
    if (!isUuid(id)) throw new ApiError(400, "BAD_REQUEST", "event_id: must be a UUID");
    return c.json(update(c, key, id, check(updateSchema, bodyOf(c))));
  });

  app.put("/events", requireRoutes("legacy"), (c) => {
    const key = keyOf(c);
    const { event_id: id, ...said } = check(legacyUpdateSchema, bodyOf(c));
    if (!isUuid(id)) throw new ApiError(400, "BAD_REQUEST", "event_id: must be a UUID");
    return c.json(update(c, key, id, said));
  });

  app.get("/v1/events/:id", requireRoutes("v1"), (c) => {
    if (!c.get("run").mode.reads) return c.notFound();
    const id = c.req.param("id");
    return c.json(read(keyOf(c), id));
  });

  app.post("/v1/events", requireRoutes("v1"), (c) => {
    const key = keyOf(c);
    return c.json({ event_id: create(c, key, check(eventSchema, bodyOf(c))), success: true });
  });

  app.post("/events", requireRoutes("legacy"), (c) => {
    const key = keyOf(c);
    const body = bodyOf(c);
    const wrapped = isJsonObject(body) ? body["event"] : undefined;
    const event = check(legacyEventSchema, wrapped, "event");
    return c.json({ event_id: create(c, key, event), success: true });
  });

  app.post("/v1/events/batch", requireRoutes("v1"), (c) => {
    const key = keyOf(c);
    const { events, single_session: isOne, session_properties } = check(batchSchema, bodyOf(c));
    const session = isOne ? start(c, key, session_properties ?? {}).session_id : undefined;
    const ids = events.map((event) => create(c, key, event, session));
    return c.json({
      event_ids: ids,
      ...(session === undefined ? {} : { session_id: session }),
      success: true,
    });
  });

  app.post("/v1/sessions/:id/events/batch", requireRoutes("v1"), (c) => {
    const key = keyOf(c);
    const id = c.req.param("id");
    if (!store.read(key, id)) throw noEvent(id);
    for (const event of check(sessionBatchSchema, bodyOf(c)).events) create(c, key, event, id);
    return c.json({ success: true });
  });

  app.post("/v1/events/search", requireRoutes("v1"), (c) => {
    const key = keyOf(c);
    const search = check(searchSchema, bodyOf(c));
    const found = store
      .everything(key)
      .filter((event) => isFound(event, search))
      .sort((a, b) => b.start_time - a.start_time);
    const from = (search.page - 1) * search.limit;
    return c.json({ events: found.slice(from, from + search.limit), count: found.length });
  });

  // Older deployments take spans as well.
  app.post("/opentelemetry/v1/traces", requireRoutes("v1", "legacy"), (c) => {
    const key = keyOf(c);
    const spans = spansOf(check(tracesSchema, bodyOf(c)));
    const refused = spans.flatMap((span) => storeSpan(c, key, span) ?? []);
    if (refused.length < spans.length) c.get("exchange").stored = true;
    if (refused.length === 0) return c.json({});
    return c.json({
      partialSuccess: { rejectedSpans: `${refused.length}`, errorMessage: refused[0] },
    });
  });

  app.get("/v1/sessions/:id", (c) => {
    const id = c.req.param("id");
    const row = store.read(keyOf(c), id);
    if (!row) throw noEvent(id);
    return c.json(row.event);
  });

  app.get("/v1/sessions", (c) => {
    const { sessions, cursor } = pageOf(store, c.req, keyOf(c));
    return c.json({ sessions: sessions.map((row) => row.event), cursor });
  });

  /**
   * @param {Context} c
   * @param {string} key
   * @param {import("./session.js").SessionStart} body
   */
  function start(c, key, body) {
    const event = begin(key, body);
    write(c, key, event);
    return event;
  }

  /**
   * A session as a start makes it, or leaves it. Stores nothing.
   * @param {string} key
   * @param {import("./session.js").SessionStart} body
   */
  function begin(key, body) {
    const { session_id: given } = body;
    const id = given !== undefined && isUuid(given) ? given : crypto.randomUUID();
    const row = store.read(key, id);
    return row ? restartSession(row.event, body) : startSession(id, body, Date.now());
  }

  /**
   * A session's event, or another.
   * @param {string} key
   * @param {string} id
   */
  function read(key, id) {
    const row = store.read(key, id) ?? store.readEvent(key, id);
    if (!row) throw noEvent(id);
    return row.event;
  }

  /**
   * @param {Context} c
   * @param {string} key
   * @param {string} id
   * @param {import("./session.js").EventUpdate} said
   */
  function update(c, key, id, said) {
    const session = store.read(key, id);
    if (session) write(c, key, updateEvent(session.event, said));
    else {
      const row = store.readEvent(key, id);
      if (!row) throw noEvent(id);
      writeEvent(c, key, updateEvent(row.event, said));
    }
    return { event_id: id, success: true };
  }

  /**
   * Makes an event, and the session it names where that is not there.
   * @param {Context} c
   * @param {string} key
   * @param {import("./event.js").NewEvent} body
   * @param {string} [session] that stands for the one in the body
   * @returns {string} the event's id
   */
  function create(c, key, body, session = body.session_id) {
    for (const name of /** @type {const} */ (["event_id", "session_id"])) {
      const id = body[name];
      if (id === undefined || isUuid(id)) continue;
      throw new ApiError(400, "BAD_REQUEST", `${name}: must be a UUID`);
    }
    if (body.event_type === "session") {
      const { feedback, metrics } = body;
      const started = begin(key, { ...body, session_id: session ?? body.event_id });
      write(c, key, updateEvent(started, { feedback, metrics }));
      return started.event_id;
    }
    const id = body.event_id ?? crypto.randomUUID();
    if (store.read(key, id)) {
      throw new ApiError(400, "BAD_REQUEST", "event_id: there is a session of this id");
    }
    const of = session ?? crypto.randomUUID();
    if (!store.read(key, of)) write(c, key, startSession(of, {}, Date.now()));
    storeEvent(c, key, createEvent(id, of, body, Date.now()));
    return id;
  }

  /**
   * @param {Context} c
   * @param {string} key
   * @param {import("./event.js").ChildEvent} event
   */
  function storeEvent(c, key, event) {
    const before = store.readEvent(key, event.event_id);
    writeEvent(c, key, before ? recreateEvent(before.event, event) : event);
  }

  /**
   * @param {Context} c
   * @param {string} key
   * @param {import("./otlp.js").StoredSpan} span
   * @returns {string | undefined} why it is refused
   */
  function storeSpan(c, key, span) {
    const session = sessionOf(span);
    if (session && !isUuid(session.id)) return `session ${session.id}: must be a UUID`;
    if (session && !store.read(key, session.id)) {
      if (!session.mayBeMade) return `no session ${session.id}`;
      const { name, source } = session;
      write(c, key, startSession(session.id, { session_name: name, source }, Date.now()));
    }
    store.writeSpan(key, session?.id ?? null, span);
    const event = session && eventOfSpan(span, session.id);
    if (event) storeEvent(c, key, event);
    return undefined;
  }

  /**
   * @param {Context} c
   * @param {string} key
   * @param {import("./session.js").SessionEvent} event
   */
  function write(c, key, event) {
    c.get("exchange").session = event.session_id;
    store.write(key, event, changeOf(c));
    noteStored(c);
  }

  /**
   * @param {Context} c
   * @param {string} key
   * @param {import("./event.js").ChildEvent} event
   */
  function writeEvent(c, key, event) {
    c.get("exchange").session ??= event.session_id;
    store.writeEvent(key, event, changeOf(c));
    noteStored(c);
  }

  /** @param {Context} c */
  function noteStored(c) {
    const exchange = c.get("exchange");
    // A batch is many writes, and one request.
    if (exchange.stored) return;
    exchange.stored = true;
    c.get("run").traffic.stored(exchange);
  }

  /**
   * @param {Context} c
   * @returns {import("./store.js").Change}
   */
  function changeOf(c) {
    const { seq, method, path, timestamp } = c.get("exchange");
    return { seq, at: Date.now(), method, path, timestamp, body: c.get("body").json };
  }

  return { fetch: async (request, connection) => app.fetch(request, { connection }) };
}

/**
 * @param {...("v1" | "legacy")} families one of which has to be there
 * @returns {import("hono").MiddlewareHandler<import("./observe.js").Env>}
 */
function requireRoutes(...families) {
  return async (c, next) => {
    const { mode } = c.get("run");
    if (!families.some((family) => hasRoutes(mode, family))) return c.notFound();
    await next();
    return undefined;
  };
}

/**
 * @param {Context} c
 * @returns {string}
 */
function keyOf(c) {
  const { key } = c.get("exchange");
  const { keys } = c.get("run").mode;
  if (key === null) {
    throw new ApiError(401, "UNAUTHORIZED", "Authorization: Bearer <key> is missing");
  }
  if (keys && !keys.includes(key)) throw new ApiError(401, "UNAUTHORIZED", "Invalid API key");
  return key;
}

/** @param {Context} c */
function bodyOf(c) {
  return jsonOf(c.get("body"), {
    contentType: c.req.header("content-type") ?? "",
    contentEncoding: c.req.header("content-encoding") ?? "",
  });
}

/**
 * @param {import("hono").Context} c
 * @param {number} status
 * @param {string} errorCode
 * @param {string} message
 */
function refusal(c, status, errorCode, message) {
  return c.json(
    errorBody(status, errorCode, message),
    /** @type {import("hono/utils/http-status").ContentfulStatusCode} */ (status),
  );
}
