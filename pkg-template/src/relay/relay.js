// Passes a request through the relay. The core decides each step.

import { plainJson } from "../json.js";
import { messageOf, read } from "../guard.js";
import { alive } from "./engine.js";
import { option, settingsJson } from "./options.js";
import { isSignedBy, secretsOf } from "./secrets.js";

/** @import { RelayCore } from "./core.d.ts" */
/** @import { RelayEngine } from "./engine.js" */

/** The answer if the core itself has failed. */
const FAILED = plainJson({
  statusCode: 500,
  message: "the relay failed: try again",
  success: false,
  errorCode: "INTERNAL",
});

const NO_RESPONSE =
  "this runtime has no Response, which the relay answers with: serve it on Node 20 or later, Deno, Bun or an edge runtime";

export class Relay {
  #engine;
  #options;
  /** Read at the first request, because the environment may be missing before. @type {{ json: string, secrets: string[] } | undefined} */
  #settings;

  /**
   * @param {RelayEngine} engine
   * @param {unknown} options
   */
  constructor(engine, options) {
    this.#engine = engine;
    this.#options = options;
  }

  /**
   * @param {Request} request
   * @returns {Promise<Response>} never rejects
   */
  async handle(request) {
    try {
      const core = await this.#engine.core();
      return await this.#pass(core, request);
    } catch (error) {
      this.#engine.complain(this.#options, `the relay failed: ${messageOf(error)}`);
      const headers = { "content-type": "application/json", "cache-control": "no-store" };
      const { Response } = globalThis;
      if (typeof Response === "function") return new Response(FAILED, { status: 500, headers });
      this.#engine.complain(this.#options, NO_RESPONSE);
      // What a server's adapter reads of a response.
      const standIn = { ok: false, status: 500, headers, body: null, text: async () => FAILED };
      return /** @type {any} */ (standIn);
    }
  }

  /**
   * @param {RelayCore} core
   * @param {Request} request
   * @returns {Promise<Response>}
   */
  async #pass(core, request) {
    const { json, secrets } = (this.#settings ??= this.#settingsOf(core));
    const head = plainJson(headOf(request));
    const admitted = alive(core.admit(json, head));
    if (!("claims" in admitted)) return admitted;
    const signature = Uint8Array.from(admitted.signature);
    const isRight = await isSignedBy(secrets, signature, admitted.claims);
    return this.#engine.call(core, this.#options, (call) =>
      core.pass(call, json, head, isRight, request),
    );
  }

  /** @param {RelayCore} core */
  #settingsOf(core) {
    const engine = this.#engine;
    const secrets = secretsOf(engine, core, this.#options);
    const queue = typeof read(option(this.#options, "queue"), "send") === "function";
    const more = { hasSecret: secrets.length > 0, queue };
    const json = settingsJson(this.#options, (name) => engine.variable(name), more);
    engine.say(alive(core.check(json)).log);
    return { json, secrets };
  }
}

/** @param {Request} request */
function headOf({ url, method, headers }) {
  const { protocol, host, pathname } = new URL(url);
  const header = (/** @type {string} */ name) => headers.get(name) ?? undefined;
  return {
    method,
    scheme: protocol,
    // Behind a proxy, the URL may differ from the one that the client requested.
    host: header("host") ?? host,
    path: pathname,
    origin: header("origin"),
    authorization: header("authorization"),
    contentType: header("content-type"),
    contentEncoding: header("content-encoding"),
    contentLength: header("content-length"),
    wantedMethod: header("access-control-request-method"),
    stamp: header("hh-client-timestamp"),
  };
}
