// A local HoneyHive: its session and event routes, really storing, plus routes under /_local with
// which tests switch faults on and look at what came. Request in, Response out, no Node APIs: runs in
// workerd as well. Cutting connections is left to whoever holds them (server.mjs).

import { Hono } from "hono";
import { cors } from "hono/cors";
import { ApiError, errorBody } from "./errors.js";
import { answerOf, faults, faultsSchema, hasAnswer, htmlPage } from "./faults.js";
import { DEFAULT_MODE, hasRoutes, modeSchema } from "./mode.js";
import { exchangeJson, requestLog } from "./request-log.js";
import {
  check,
  isJsonObject,
  isUuid,
  legacySessionSchema,
  legacyUpdateSchema,
  sessionSchema,
  updateSchema,
} from "./schemas.js";
import { restartSession, startSession, updateSession } from "./session.js";
import { memoryStore } from "./store.js";
import { traffic } from "./traffic.js";

/** @typedef {import("./request-log.js").Exchange} Exchange */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./mode.js").Mode} Mode */

/**
 * @typedef {object} BackendOptions
 * @property {Store} [store] in memory unless given
 * @property {number} [maxBodyBytes] over this a request is refused with 413; 5,000,000. HoneyHive says
 *   "5 MB": the smaller of the two readings, so that who passes here passes there
 * @property {number} [logRecords] requests kept in the log; 50,000
 * @property {number} [logBytes] characters of their bodies kept; 64 Mi
 */

/**
 * The connection a request came on.
 * @typedef {object} Connection
 * @property {(how: "reset" | "close") => void} cut ends it now, with a TCP reset or without
 */

/**
 * @typedef {object} Backend
 * @property {(request: Request, connection?: Connection) => Promise<Response>} fetch never rejects. Without a
 *   connection to cut, a cut shows as an answer whose body breaks off
 * @property {() => void} reset as DELETE /_local: forgets everything, cuts what is held
 */

/**
 * What DELETE /_local throws away.
 * @typedef {object} Run
 * @property {ReturnType<typeof requestLog>} log
 * @property {ReturnType<typeof traffic>} traffic
 * @property {ReturnType<typeof faults>} faults
 * @property {Mode} mode
 * @property {{byRoute: Tally, byStatus: Tally, byFate: Tally}} counts
 * @property {AbortController} over
 */

/** @typedef {Map<string, number>} Tally */

/** @typedef {{Bindings: {connection?: Connection}, Variables: {run: Run, exchange: Exchange, body: Body}}} Env */
/** @typedef {import("hono").Context<Env>} Context */

const ROUTES = new Set([
  "/v1/sessions",
  "/v1/sessions/:id",
  "/v1/events/:id",
  "/session/start",
  "/events",
]);

const PAGE_SIZE = 50;
const LARGEST_PAGE = 1000;

/**
 * @param {BackendOptions} [options]
 * @returns {Backend}
 */
export function createBackend({
  store = memoryStore(),
  maxBodyBytes = 5_000_000,
  logRecords = 50_000,
  logBytes = 64 * 1024 * 1024,
} = {}) {
  const newRun = () => {
    const watched = traffic();
    return {
      log: requestLog({ records: logRecords, bytes: logBytes, forget: watched.forget }),
      traffic: watched,
      faults: faults({ seed: 1, rules: [] }),
      mode: DEFAULT_MODE,
      counts: { byRoute: new Map(), byStatus: new Map(), byFate: new Map() },
      over: new AbortController(),
    };
  };

  /** @type {Run} */
  let run = newRun();

  const reset = () => {
    const before = run;
    run = newRun();
    store.clear();
    before.over.abort();
  };

  /** @type {Hono<Env>} */
  const app = new Hono();

  app.onError((error, c) => {
    if (error instanceof ApiError) {
      return refusal(c, error.status, error.errorCode, error.message);
    }
    console.error(error);
    return refusal(c, 500, "INTERNAL", "The local backend failed.");
  });

  app.notFound((c) => {
    const message = `Cannot ${c.req.method} ${c.req.path}`;
    const mode = c.get("run")?.mode ?? DEFAULT_MODE;
    if (mode.html) return c.html(htmlPage(`${mode.missing}`), mode.missing);
    return refusal(c, mode.missing, "ROUTE_NOT_FOUND", message);
  });

  app.use("/_local/*", cors());
  app.use("/_local", cors());

  app.delete("/_local", (c) => {
    reset();
    return c.json({ success: true });
  });

  app.get("/_local/requests", (c) => {
    const records = run.log.read({
      since: integer(c.req.query("since"), "since", { least: 0, fallback: 0 }),
      session: c.req.query("session"),
      limit: integer(c.req.query("limit"), "limit", { least: 1, fallback: Infinity }),
    });
    return c.body(`[${records.map(exchangeJson).join(",\n")}]`, 200, {
      "content-type": "application/json",
    });
  });

  app.get("/_local/stats", (c) => {
    const { counts, log } = run;
    return c.json({
      requests: log.size(),
      byRoute: Object.fromEntries(counts.byRoute),
      byStatus: Object.fromEntries(counts.byStatus),
      byFate: Object.fromEntries(counts.byFate),
      sessions: store.count(),
      ...run.traffic.stats(),
      faults: run.faults.stats(),
    });
  });

  app.get("/_local/faults", (c) => c.json(run.faults.stats()));
  app.put("/_local/faults", async (c) => {
    const json = parsed(await c.req.text());
    run.faults = faults(check(faultsSchema, Array.isArray(json) ? { rules: json } : json));
    return c.json({ success: true });
  });

  app.get("/_local/mode", (c) => c.json(run.mode));
  app.put("/_local/mode", async (c) => {
    run.mode = check(modeSchema, parsed(await c.req.text()));
    return c.json({ success: true });
  });

  app.get("/_local/sessions", (c) => {
    const page = listed(c, undefined);
    return c.json({ sessions: page.sessions, cursor: page.cursor });
  });

  app.get("/_local/sessions/:id", (c) => {
    const id = c.req.param("id");
    const found = store.find(id);
    if (found.length === 0) throw noSession(id);
    return c.json(found.map((row) => ({ ...row, timeline: store.timeline(row.key, id) })));
  });

  app.use("*", async (c, next) => {
    if (c.req.path === "/_local" || c.req.path.startsWith("/_local/")) return next();
    const response = await observed(c, next);
    // Hono folds the headers of an earlier answer into a later one; this one is to be as it is.
    if (c.finalized && c.res !== response) c.res = undefined;
    c.res = response;
    return undefined;
  });

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
    const update = check(updateSchema, bodyOf(c));
    const row = store.read(key, id);
    if (!row) throw noSession(id);
    write(c, key, updateSession(row.event, update));
    return c.json({ event_id: id, success: true });
  });

  app.put("/events", requireRoutes("legacy"), (c) => {
    const key = keyOf(c);
    const body = bodyOf(c);
    const { event_id: id, ...update } = check(legacyUpdateSchema, body);
    if (!isUuid(id)) throw new ApiError(400, "BAD_REQUEST", "event_id: must be a UUID");
    const row = store.read(key, id);
    if (row) {
      write(c, key, updateSession(row.event, update));
    } else if (Object.keys(/** @type {object} */ (body)).length === 1) {
      // The touch by update: on older deployments an update that carries only the id is how a
      // client without data makes sure that the session exists.
      write(c, key, startSession(id, {}, Date.now()));
    } else {
      throw noSession(id);
    }
    return c.json({ event_id: id, success: true });
  });

  app.get("/v1/sessions/:id", (c) => {
    const id = c.req.param("id");
    const row = store.read(keyOf(c), id);
    if (!row) throw noSession(id);
    return c.json(row.event);
  });

  app.get("/v1/sessions", (c) => {
    const page = listed(c, keyOf(c));
    return c.json({ sessions: page.sessions.map((row) => row.event), cursor: page.cursor });
  });

  /**
   * Logs a request, lets a fault have its way with it, and counts how it ended.
   * @param {Context} c
   * @param {() => Promise<void>} next
   * @returns {Promise<Response>}
   */
  async function observed(c, next) {
    const mine = run;
    const url = new URL(c.req.url);
    const isWrite = c.req.method === "POST" || c.req.method === "PUT";
    const exchange = mine.log.open({
      method: c.req.method,
      path: url.pathname,
      query: url.search,
      headers: c.req.header(),
      key: bearer(c.req.header("authorization")),
      timestamp: c.req.header("hh-client-timestamp") ?? null,
    });
    c.set("run", mine);
    c.set("exchange", exchange);
    if (isWrite) mine.traffic.opened();

    try {
      const response = await carriedOut(c, mine, exchange, next, isWrite);
      if (exchange.fate === "pending") {
        exchange.fate = "answered";
        exchange.status = response.status;
      }
      return response;
    } finally {
      exchange.ms = Date.now() - exchange.at;
      if (isWrite) mine.traffic.ended(exchange);
      count(mine.counts.byRoute, routeOf(exchange));
      count(mine.counts.byFate, exchange.fate);
      if (exchange.status !== null) count(mine.counts.byStatus, `${exchange.status}`);
    }
  }

  /**
   * @param {Context} c
   * @param {Run} mine
   * @param {Exchange} exchange
   * @param {() => Promise<void>} next
   * @param {boolean} isWrite
   * @returns {Promise<Response>}
   */
  async function carriedOut(c, mine, exchange, next, isWrite) {
    /** @type {Body} */
    let body;
    try {
      body = await readBody(c.req.raw, maxBodyBytes);
    } catch {
      return cut(c, exchange, "client-left");
    }
    if (mine.over.signal.aborted) return cut(c, exchange, "reset");
    exchange.bytes = body.bytes;
    exchange.isJson = body.json !== undefined;
    exchange.session = namedSession(exchange, body.json);
    mine.log.body(exchange, body.text);
    if (isWrite && exchange.session !== null) mine.traffic.identified(exchange);
    c.set("body", body);

    const fault = mine.faults.choose(exchange);
    if (!fault) {
      await next();
      return c.res;
    }

    const { rule } = fault;
    exchange.fault = fault.index;
    const isLate = rule.stored || rule.cut === "after";
    if (!isLate && !(await held(c, mine, exchange, fault.delayMs))) return cut(c, exchange);
    if (fault.carriesOut) await next();
    if (isLate && !(await held(c, mine, exchange, fault.delayMs))) return cut(c, exchange);

    if (rule.hang) {
      await held(c, mine, exchange, Infinity);
      return cut(c, exchange);
    }
    if (rule.cut === "before") return cut(c, exchange, "cut-before");
    if (rule.cut === "after") return cut(c, exchange, "cut-after");
    const answer = hasAnswer(rule) ? answerOf(rule, Date.now()) : c.res;
    if (rule.cut === "mid-body") {
      exchange.fate = "cut-mid-body";
      exchange.status = answer.status;
      return broken(answer, c.env.connection);
    }
    return rule.trickle ? trickled(answer, rule.trickle) : answer;
  }

  /**
   * @param {Context} c
   * @param {string} key
   * @param {import("./session.js").SessionStart} body
   */
  function start(c, key, body) {
    const id = isUuid(body.session_id)
      ? /** @type {string} */ (body.session_id)
      : crypto.randomUUID();
    const row = store.read(key, id);
    const event = row ? restartSession(row.event, body) : startSession(id, body, Date.now());
    write(c, key, event);
    return event;
  }

  /**
   * @param {Context} c
   * @param {string} key
   * @param {import("./session.js").SessionEvent} event
   */
  function write(c, key, event) {
    const exchange = c.get("exchange");
    exchange.session = event.session_id;
    exchange.stored = true;
    store.write(key, event, {
      seq: exchange.seq,
      at: Date.now(),
      method: exchange.method,
      path: exchange.path,
      timestamp: exchange.timestamp,
      body: c.get("body").json,
    });
    c.get("run").traffic.stored(exchange);
  }

  /**
   * @param {Context} c
   * @param {string | undefined} key
   */
  function listed(c, key) {
    const limit = integer(c.req.query("limit"), "limit", { least: 1, fallback: PAGE_SIZE });
    const before = integer(c.req.query("cursor"), "cursor", { least: 1, fallback: Infinity });
    const page = store.list({ key, limit: Math.min(limit, LARGEST_PAGE), before });
    return { sessions: page.sessions, cursor: page.before === null ? null : `${page.before}` };
  }

  return {
    fetch: async (request, connection) => app.fetch(request, { connection }),
    reset,
  };
}

/** @param {"v1" | "legacy"} family */
function requireRoutes(family) {
  /**
   * @param {Context} c
   * @param {() => Promise<void>} next
   */
  return async (c, next) => {
    if (!hasRoutes(c.get("run").mode, family)) return c.notFound();
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

/** @param {string | undefined} header */
function bearer(header) {
  return /^Bearer +([^\s]+)$/i.exec(header ?? "")?.[1] ?? null;
}

/**
 * @param {Context} c
 * @returns {unknown} what the body says in JSON
 */
function bodyOf(c) {
  const { problem, bytes, json } = c.get("body");
  if (problem) throw problem;
  if (bytes === 0) throw new ApiError(400, "BAD_REQUEST", "body is missing");
  const type = c.req.header("content-type") ?? "";
  if (!/^application\/(?:[\w.+-]+\+)?json *(?:; *charset *= *"?utf-8"? *)?$/i.test(type)) {
    throw new ApiError(415, "UNSUPPORTED_MEDIA_TYPE", "content-type must be application/json");
  }
  if (!/^(?:identity)?$/i.test(c.req.header("content-encoding") ?? "")) {
    throw new ApiError(415, "UNSUPPORTED_MEDIA_TYPE", "content-encoding is not supported");
  }
  if (json === undefined) throw new ApiError(400, "BAD_REQUEST", "body is not valid JSON");
  return json;
}

/**
 * @typedef {object} Body
 * @property {string} text empty where it was too large to keep
 * @property {number} bytes as announced or, without that, as read
 * @property {unknown} json undefined where it is none
 * @property {ApiError} [problem] why no route takes it
 */

/**
 * @param {Request} request
 * @param {number} most bytes
 * @returns {Promise<Body>} rejects if the client leaves while sending
 */
async function readBody(request, most) {
  if (request.method === "GET" || request.method === "HEAD") {
    return { text: "", bytes: 0, json: undefined };
  }
  const announced = request.headers.get("content-length");
  if (announced !== null && Number(announced) > most) return tooLarge(Number(announced), most);
  const buffer = await (announced === null ? readUpTo(request, most) : request.arrayBuffer());
  if (buffer === null) return tooLarge(most, most);
  const bytes = buffer.byteLength;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(buffer);
    return { text, bytes, json: parsed(text) };
  } catch {
    const problem = new ApiError(400, "BAD_REQUEST", "body is not valid UTF-8");
    return { text: new TextDecoder().decode(buffer), bytes, json: undefined, problem };
  }
}

/**
 * @param {number} bytes
 * @param {number} most
 * @returns {Body}
 */
function tooLarge(bytes, most) {
  const problem = new ApiError(413, "PAYLOAD_TOO_LARGE", `body is over ${most} bytes`);
  return { text: "", bytes, json: undefined, problem };
}

/**
 * For a body whose length was not announced.
 * @param {Request} request
 * @param {number} most bytes
 * @returns {Promise<ArrayBuffer | null>} null if there is more
 */
async function readUpTo(request, most) {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const chunks = [];
  let length = 0;
  const reader = request.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) return new Blob(chunks).arrayBuffer();
    length += value.byteLength;
    if (length > most) {
      await reader?.cancel();
      return null;
    }
    chunks.push(value);
  }
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @param {Exchange} exchange
 * @param {unknown} json
 * @returns {string | null}
 */
function namedSession({ path }, json) {
  const inPath = /^\/v1\/(?:events|sessions)\/([^/]+)$/.exec(path)?.[1];
  if (inPath !== undefined) return inPath;
  if (!isJsonObject(json)) return null;
  const object = isJsonObject(json["session"]) ? json["session"] : json;
  const id = path === "/events" ? object["event_id"] : object["session_id"];
  return typeof id === "string" ? id : null;
}

/**
 * Waits, unless the client leaves or all is reset before.
 * @param {Context} c
 * @param {Run} run
 * @param {Exchange} exchange
 * @param {number} ms milliseconds, or Infinity
 * @returns {Promise<boolean>} whether there is still someone to answer
 */
async function held(c, run, exchange, ms) {
  if (ms === 0) return true;
  const left = c.req.raw.signal;
  const over = run.over.signal;
  await new Promise((resolve) => {
    const timer = ms === Infinity ? undefined : setTimeout(done, ms, undefined);
    left.addEventListener("abort", done);
    over.addEventListener("abort", done);
    if (left.aborted || over.aborted) done();

    function done() {
      clearTimeout(timer);
      left.removeEventListener("abort", done);
      over.removeEventListener("abort", done);
      resolve(undefined);
    }
  });
  if (left.aborted) exchange.fate = "client-left";
  else if (over.aborted) exchange.fate = "reset";
  return !left.aborted && !over.aborted;
}

/**
 * @param {Context} c
 * @param {Exchange} exchange
 * @param {import("./request-log.js").Fate} [fate] unless it is known already
 * @returns {Response} for where there is no connection to cut
 */
function cut(c, exchange, fate = exchange.fate) {
  exchange.fate = fate;
  c.env.connection?.cut("reset");
  return new Response(
    new ReadableStream({ start: (controller) => controller.error(new Error("connection cut")) }),
  );
}

/**
 * The first half of an answer, and then nothing.
 * @param {Response} answer
 * @param {Connection} [connection]
 */
async function broken(answer, connection) {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const half = bytes.subarray(0, Math.floor(bytes.length / 2));
  let sent = false;
  const body = new ReadableStream({
    async pull(controller) {
      if (!sent && half.length > 0) {
        sent = true;
        controller.enqueue(half);
        return;
      }
      // Time for the first half to reach the client: the cut must not overtake it.
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (connection) {
        connection.cut("close");
        controller.close();
      } else {
        controller.error(new Error("connection cut"));
      }
    },
  });
  return withBody(answer, body, bytes.length);
}

/**
 * @param {Response} answer
 * @param {{bytes: number, everyMs: number}} pace
 */
async function trickled(answer, { bytes: step, everyMs }) {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  let at = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const body = new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => {
        timer = setTimeout(resolve, everyMs, undefined);
      });
      controller.enqueue(bytes.subarray(at, at + step));
      at += step;
      if (at >= bytes.length) controller.close();
    },
    cancel: () => clearTimeout(timer),
  });
  return withBody(answer, bytes.length === 0 ? null : body, bytes.length);
}

/**
 * @param {Response} answer
 * @param {ReadableStream | null} body
 * @param {number} length bytes it promises
 */
function withBody(answer, body, length) {
  const headers = new Headers(answer.headers);
  headers.set("content-length", `${length}`);
  return new Response(body, { status: answer.status, headers });
}

/**
 * @param {Context} c
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

/** @param {string} id */
const noSession = (id) => new ApiError(404, "EVENT_NOT_FOUND", `No event ${id}`);

/**
 * @param {string | undefined} text
 * @param {string} name
 * @param {{least: number, fallback: number}} options
 */
function integer(text, name, { least, fallback }) {
  if (text === undefined) return fallback;
  const value = /^[0-9]+$/.test(text) ? Number(text) : NaN;
  if (value >= least) return value;
  throw new ApiError(400, "BAD_REQUEST", `${name}: must be an integer of at least ${least}`);
}

/**
 * @param {Tally} tally
 * @param {string} name
 */
function count(tally, name) {
  tally.set(name, (tally.get(name) ?? 0) + 1);
}

/**
 * The route without its ids, so that the tally stays small.
 * @param {Exchange} exchange
 */
function routeOf({ method, path }) {
  const route = path.replace(/^(\/v1\/(?:events|sessions)\/)[^/]+$/, "$1:id");
  return `${method} ${ROUTES.has(route) ? route : "elsewhere"}`;
}
