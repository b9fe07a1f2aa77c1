// A SpanExporter of OpenTelemetry that sends ended spans to HoneyHive. The core delivers them.

import { plainJson } from "../json.js";
import { Promise, randomSeed } from "../globals.js";
import { environment, pageOrigins } from "../env.js";
import { attempt, messageOf } from "../guard.js";
import { tracerSettings } from "../settings.js";
import { disregard } from "../thenables.js";
import { writeSpans } from "./span-parts.js";

/** @import { SpanCore } from "./core.d.ts" */
/** @import { SpanEngine } from "./engine.js" */

/** ExportResultCode of `@opentelemetry/core`. */
const SUCCESS = 0;
const FAILED = 1;

const NO_CORE = "WebAssembly could not be started";
const CLOSED = "closed: the exporter was shut down";

/** @typedef {(result: { code: number, error?: Error }) => void} ResultCallback */

export class HoneyHiveSpanExporter {
  #engine;
  /** @type {string} JSON */
  #options;
  /** @type {"page" | "edge" | "server"} */
  #place;
  #redaction;
  /** Passed in place of a session to find the request scope. @type {any} */
  #requests;
  /** The instance of the core in which this exporter is registered. @type {{ core: SpanCore, exporter: number } | undefined} */
  #home;
  #closed = false;
  /** The application's `fetch`, if one was given. The engine holds it while something is sent. @type {Function | undefined} */
  #fetch;
  #transport;
  /** The exports that have not ended. @type {Set<{ scope: number, ended: Promise<void> }>} */
  #pending = new Set();

  /**
   * @param {SpanEngine} engine
   * @param {unknown} options
   */
  constructor(engine, options) {
    this.#engine = engine;
    const { scalars, headers, fetch, waitUntil, redaction } = tracerSettings(options);
    this.#requests = { settings: { waitUntil }, logLevel: scalars.logLevel };
    const transport = fetch ? engine.newTransport() : 0;
    this.#fetch = fetch;
    this.#transport = transport;
    const env = environment(engine.platform.variable, undefined, scalars.logLevel);
    const origins = pageOrigins();
    this.#place = engine.platform.place ?? (origins.page === undefined ? "server" : "page");
    const { redact, redactKeys, redactPatterns } = redaction;
    const masked = { redact, redactKeys, redactPatterns };
    this.#options = plainJson({ ...scalars, ...masked, headers, transport, env, ...origins });
    this.#redaction = redaction;
  }

  /**
   * @param {readonly any[]} spans
   * @param {ResultCallback} resultCallback
   */
  export(spans, resultCallback) {
    /** @type {(why: string | undefined) => void} */
    let end = () => {};
    const ended = new Promise((/** @type {(why: string | undefined) => void} */ resolve) => {
      end = resolve;
    });
    const scope = attempt(() => this.#engine.context.scope(this.#requests), 0);
    const pending = {
      scope,
      ended: ended.then((why) => {
        this.#pending.delete(pending);
        if (this.#pending.size === 0) this.#engine.takeBack(this.#transport);
        const result =
          why === undefined ? { code: SUCCESS } : { code: FAILED, error: new Error(why) };
        attempt(() => disregard(resultCallback(result)));
      }),
    };
    this.#pending.add(pending);
    if (this.#fetch) this.#engine.lend(this.#transport, this.#fetch);
    try {
      this.#send(spans, scope, end);
    } catch (error) {
      end(`the spans could not be read (${messageOf(error)})`);
    }
  }

  /**
   * Resolves when the exports of this request have ended, or all exports if the runtime does not tell requests apart.
   * @returns {Promise<void>}
   */
  async forceFlush() {
    const scope = attempt(() => this.#engine.context.scope(this.#requests), 0);
    this.#home?.core.hurryExporter(this.#home.exporter, scope);
    const ends = [...this.#pending].filter((pending) => pending.scope === scope);
    await Promise.all(ends.map(({ ended }) => ended));
  }

  /** @returns {Promise<void>} */
  async shutdown() {
    this.#closed = true;
    await this.forceFlush();
    this.#home?.core.closeExporter(this.#home.exporter);
    this.#home = undefined;
    // Exports of other requests that are still in flight keep it until they end.
    this.#fetch = undefined;
  }

  /**
   * @param {readonly any[]} spans
   * @param {number} scope
   * @param {(why: string | undefined) => void} end
   */
  #send(spans, scope, end) {
    if (this.#closed) return end(CLOSED);
    const { core } = this.#engine;
    if (!core) return end(NO_CORE);
    if (this.#home?.core !== core) {
      const seed = randomSeed();
      this.#home = { core, exporter: core.openExporter(this.#options, seed, this.#place) ?? 0 };
    }
    const { exporter } = this.#home;
    let part = 0;
    const last = writeSpans(spans, this.#redaction, (json) => {
      part = core.giveSpans(exporter, part, json) ?? 0;
    });
    const call = core.exportSpans(exporter, part, last, scope);
    if (!call) return end("an internal error of honeyhive-edge/otel");
    this.#engine.wait(exporter, call, end);
  }
}
