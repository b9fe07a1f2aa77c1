// Stands between the network and the product routes: logs each request, lets a fault have its way
// with it, and notes how it ended. What a request means is the routes' affair.

import { readBody } from "./body.js";
import { broken, cut, held, trickled } from "./connection.js";
import { answerOf, hasAnswer, LONGEST_MS } from "./faults.js";
import { isJsonObject } from "./schemas.js";

/** @typedef {import("./request-log.js").Exchange} Exchange */
/** @typedef {import("./request-log.js").Fate} Fate */
/** @typedef {import("./run.js").Run} Run */

/**
 * What a request carries along on its way through the routes.
 * @typedef {object} Env
 * @property {{connection?: import("./connection.js").Connection}} Bindings
 * @property {{run: Run, exchange: Exchange, body: import("./body.js").Body}} Variables
 */
/** @typedef {import("hono").Context<Env>} Context */
/** @typedef {() => Promise<void>} Next */

/** Routes by which requests are counted: without their ids, so that the tally stays small. */
const ROUTES = new Set([
  "/v1/sessions",
  "/v1/sessions/:id",
  "/v1/sessions/:id/events/batch",
  "/v1/events",
  "/v1/events/:id",
  "/v1/events/batch",
  "/v1/events/search",
  "/session/start",
  "/events",
  "/opentelemetry/v1/traces",
]);

/** The id in a path: an event's, which may be a session's, or a session's. */
const IN_PATH = /^(\/v1\/(?:events(?!\/(?:batch|search)$)|sessions)\/)([^/]+)(\/events\/batch)?$/;

/**
 * @param {() => Run} currentRun
 * @param {{maxBodyBytes: number, onRequest: (exchange: Exchange) => void}} options onRequest: told of each that is over
 * @returns {(c: Context, next: Next) => Promise<void>}
 */
export function observe(currentRun, { maxBodyBytes, onRequest }) {
  return async (c, next) => {
    const run = currentRun();
    const exchange = opened(c, run);
    const isWrite = exchange.method === "POST" || exchange.method === "PUT";
    if (isWrite) run.traffic.opened();
    try {
      const response = await carriedOut(c, next, isWrite, maxBodyBytes);
      if (exchange.fate === "pending") {
        exchange.fate = "answered";
        exchange.status = response.status;
      }
      // Hono folds the headers of an earlier answer into a later one; this one is to be as it is.
      if (c.finalized && c.res !== response) c.res = undefined;
      c.res = response;
    } finally {
      exchange.ms = Date.now() - exchange.at;
      if (isWrite) run.traffic.ended(exchange);
      count(run.counts.byRoute, routeOf(exchange));
      count(run.counts.byFate, exchange.fate);
      if (exchange.status !== null) count(run.counts.byStatus, `${exchange.status}`);
      onRequest(exchange);
    }
  };
}

/**
 * @param {Context} c
 * @param {Run} run
 */
function opened(c, run) {
  const url = new URL(c.req.url);
  const exchange = run.log.open({
    method: c.req.method,
    path: url.pathname,
    query: url.search,
    headers: c.req.header(),
    key: bearer(c.req.header("authorization")),
    timestamp: c.req.header("hh-client-timestamp") ?? null,
  });
  c.set("run", run);
  c.set("exchange", exchange);
  return exchange;
}

/**
 * @param {Context} c
 * @param {Next} next
 * @param {boolean} isWrite
 * @param {number} maxBodyBytes
 * @returns {Promise<Response>}
 */
async function carriedOut(c, next, isWrite, maxBodyBytes) {
  const run = c.get("run");
  const exchange = c.get("exchange");
  /** @type {import("./body.js").Body} */
  let body;
  try {
    body = await readBody(c.req.raw, maxBodyBytes);
  } catch {
    return ended("client-left");
  }
  if (run.over.signal.aborted) return ended("reset");
  c.set("body", body);
  exchange.bytes = body.bytes;
  exchange.isJson = body.json !== undefined;
  exchange.session = namedSession(exchange.path, body.json);
  run.log.body(exchange, body.text);
  if (isWrite && exchange.session !== null) run.traffic.identified(exchange);

  const fault = run.faults.choose(exchange);
  if (!fault) {
    await next();
    return c.res;
  }

  const { rule, delayMs } = fault;
  exchange.fault = fault.index;
  const isLate = rule.stored || rule.cut === "after";
  if (!isLate && !(await wait(delayMs))) return ended();
  if (fault.carriesOut) await next();
  if (isLate && !(await wait(delayMs))) return ended();

  if (rule.hang) {
    await wait(LONGEST_MS);
    return ended();
  }
  if (rule.cut === "before") return ended("cut-before");
  if (rule.cut === "after") return ended("cut-after");
  const answer = hasAnswer(rule) ? answerOf(rule, Date.now()) : c.res;
  if (rule.cut === "mid-body") {
    exchange.fate = "cut-mid-body";
    exchange.status = answer.status;
    return broken(answer, c.env.connection);
  }
  return rule.trickle ? trickled(answer, rule.trickle) : answer;

  /** @param {Fate} [fate] unless it is known already */
  function ended(fate = exchange.fate) {
    exchange.fate = fate;
    return cut(c.env.connection);
  }

  /**
   * @param {number} ms milliseconds
   * @returns {Promise<boolean>} whether there is still someone to answer
   */
  async function wait(ms) {
    const { signal } = c.req.raw;
    await held(ms, [signal, run.over.signal]);
    if (signal.aborted) exchange.fate = "client-left";
    else if (run.over.signal.aborted) exchange.fate = "reset";
    return exchange.fate === "pending";
  }
}

/** @param {string | undefined} header */
function bearer(header) {
  return /^Bearer +([^\s]+)$/i.exec(header ?? "")?.[1] ?? null;
}

/**
 * @param {string} path
 * @param {unknown} json
 * @returns {string | null}
 */
function namedSession(path, json) {
  const inPath = IN_PATH.exec(path)?.[2];
  if (inPath !== undefined) return inPath;
  if (!isJsonObject(json)) return null;
  const wrapped = [json["session"], json["event"]].find(isJsonObject);
  const id = path === "/events" && !wrapped ? json["event_id"] : (wrapped ?? json)["session_id"];
  return typeof id === "string" ? id : null;
}

/**
 * @param {Exchange} exchange
 */
function routeOf({ method, path }) {
  const route = path.replace(IN_PATH, "$1:id$3");
  return `${method} ${ROUTES.has(route) ? route : "elsewhere"}`;
}

/**
 * @param {import("./run.js").Tally} tally
 * @param {string} name
 */
function count(tally, name) {
  tally.set(name, (tally.get(name) ?? 0) + 1);
}
