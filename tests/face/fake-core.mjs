// A double of the WebAssembly core, in plain JavaScript, for tests of the face alone. It keeps what it
// is told and settles when the test says so; of the core's rules it has none.

/** @import { Core, CoreOptions, Host } from "../../pkg-template/src/core.d.ts" */

export class FakeCore {
  /** @type {Host} */
  host = /** @type {any} */ (undefined);
  /** @type {{ method: string, tracer: number, sessionId?: string | undefined, eventId?: string, json?: string, scope: number, id: number }[]} */
  calls = [];
  /** @type {Map<number, CoreOptions & { scope: number }>} */
  options = new Map();
  /** @type {number[]} */
  released = [];
  /** What it was given as new tickets. @type {{ tracer: number, ticket: string, why: string, isAsked: boolean }[]} */
  tickets = [];
  /** The session of each ticket that is given. */
  sessionOfTicket = "0a0a0a0a-0000-4000-8000-000000000000";
  dead = false;
  /** @type {Set<number>} */
  #busy = new Set();
  #lastTracer = 0;
  #lastId = 0;
  /** @type {Map<number, (answer: { status: number, retryAfter: string, body: string }) => void>} */
  #requests = new Map();
  #onTrap;
  /** The last outcome that the host was told. */
  #told = "";

  /**
   * @param {(error: unknown) => void} onTrap
   * @param {{ trapOn?: (method: string, json: string) => boolean, hold?: boolean }} [behaviour]
   */
  constructor(onTrap, { trapOn = () => false, hold = false } = {}) {
    this.#onTrap = onTrap;
    this.trapOn = trapOn;
    this.hold = hold;
  }

  /** @returns {Core} */
  get core() {
    /** @type {any} */
    const core = this.#functions;
    for (const name of Object.keys(core)) {
      const call = core[name];
      core[name] = (/** @type {any[]} */ ...given) => {
        if (this.host?.isInside) this.trap(new Error(`${name} was called in the middle of a call`));
        return call(...given);
      };
    }
    return core;
  }

  /** @returns {Core} */
  get #functions() {
    return {
      connect: (host) => void (this.host = atWork(host)),
      initTracer: (json, scope) => {
        if (this.#dies("initTracer", json)) return undefined;
        const tracer = ++this.#lastTracer;
        const options = JSON.parse(json);
        this.options.set(tracer, { ...options, scope });
        this.#busy.add(tracer);
        if (options.ticketSource) queueMicrotask(() => this.host.askTicket(scope, tracer, 20));
        if (!this.hold) queueMicrotask(() => this.#idle(tracer));
        return JSON.stringify({
          tracer,
          sessionId: options.sessionId ?? options.newSessionId,
          sessionName: options.sessionName ?? "session",
          project: options.project,
          source: options.source ?? "dev",
          enabled: true,
          ...(options.ticketSource && { awaitsTicket: true }),
        });
      },
      resolveTracer: (active, sessionId) => {
        const owners = [...this.options.keys()].filter(
          (tracer) => !this.released.includes(tracer) && this.sessionOf(tracer) === sessionId,
        );
        return owners.includes(active) ? active : (owners[0] ?? active);
      },
      enrichSession: (tracer, sessionId, json, scope) =>
        this.#call({
          method: "enrichSession",
          tracer,
          sessionId: sessionId || undefined,
          json,
          scope,
        }),
      enrichEvent: (tracer, eventId, json, scope) =>
        this.#call({ method: "enrichEvent", tracer, eventId, json, scope }),
      addMetrics: (tracer, json, scope) =>
        this.#call({ method: "addMetrics", tracer, json, scope }),
      flush: (tracer, timeoutMs, scope) =>
        this.#call({ method: "flush", tracer, json: String(timeoutMs), scope }),
      close: (tracer, timeoutMs, scope) =>
        this.#call({ method: "close", tracer, json: String(timeoutMs), scope }),
      setTicket: (tracer, ticket, why, isAsked) => {
        this.tickets.push({ tracer, ticket, why, isAsked });
        return ticket.startsWith("hht1.") ? this.sessionOfTicket : "";
      },
      totalsOf: (tracer) => `{"of":${tracer}}`,
      release: (tracer) => void this.released.push(tracer),
      readRequest: () => '{"status":"failed","reason":"not_found","message":"none"}',
      readAnswered: () => undefined,
      restore: () => {},
      onlyKept: () => {},
      turn: () => {},
      run: () => -1,
      requestAnswered: (flight, status, retryAfter, body) =>
        this.#requests.get(flight)?.({ status, retryAfter, body }),
    };
  }

  /**
   * Sends a request, as the core does.
   * @param {number} transport
   * @param {string} url
   * @returns {Promise<{ status: number, retryAfter: string, body: string }>}
   */
  request(transport, url) {
    const flight = this.#requests.size + 1;
    return new Promise((resolve) => {
      this.#requests.set(flight, resolve);
      this.host.send(0, flight, transport, 1000, false, false, "GET", url, "{}", "");
    });
  }

  /**
   * Something in the scope is unsettled for a moment.
   * @param {number} scope
   */
  async work(scope) {
    this.host.wake(scope);
    await undefined;
  }

  /** @param {Omit<FakeCore["calls"][number], "id">} call */
  #call(call) {
    if (this.#dies(call.method, call.json ?? "")) return 0;
    const id = ++this.#lastId;
    this.calls.push({ ...call, id });
    // As the core does: whoever has work is said to be busy before the call returns.
    if (call.tracer && !this.#busy.has(call.tracer)) this.host.busy(call.tracer);
    this.#busy.add(call.tracer);
    if (!this.hold) queueMicrotask(() => this.settle(id));
    return id;
  }

  /** @param {number} tracer */
  #idle(tracer) {
    this.#busy.delete(tracer);
    this.host.idle(tracer);
  }

  /**
   * @param {string} method
   * @param {string} json
   */
  #dies(method, json) {
    if (this.dead) return true;
    if (!this.trapOn(method, json)) return false;
    this.trap(new Error("unreachable"));
    return true;
  }

  /** @param {unknown} error */
  trap(error) {
    this.dead = true;
    this.#onTrap(error);
  }

  /**
   * @param {number} id
   * @param {any} [outcome]
   */
  settle(id, outcome) {
    const call = this.calls.find((one) => one.id === id);
    const report = call?.method === "flush" || call?.method === "close";
    const usual = report
      ? { delivered: this.delivered, dropped: 0, pending: 0 }
      : { status: "delivered", ...this.#placeOf(call) };
    const json = JSON.stringify(outcome ?? usual);
    this.host.settle(id, json === this.#told ? "" : json);
    this.#told = json;
    if (call?.tracer) this.#idle(call.tracer);
  }

  /** @param {FakeCore["calls"][number] | undefined} call */
  #placeOf(call) {
    if (call?.eventId) return { eventId: call.eventId };
    return { sessionId: call?.sessionId ?? this.sessionOf(call?.tracer ?? 0) };
  }

  get delivered() {
    const enriches = ["enrichSession", "enrichEvent", "addMetrics"];
    return this.calls.filter(({ method }) => enriches.includes(method)).length;
  }

  /** @param {number} tracer */
  sessionOf(tracer) {
    const options = this.options.get(tracer);
    return /** @type {string} */ (options?.sessionId ?? options?.newSessionId ?? "");
  }

  /** @param {string} method */
  of(method) {
    return this.calls.filter((call) => call.method === method);
  }
}

/**
 * The host as an instance calls it: from the middle of its work.
 * @param {Host} host
 * @returns {Host}
 */
function atWork(host) {
  /** @type {any} */
  const functions = host;
  return new Proxy(functions, {
    get(_, name) {
      const value = functions[name];
      if (typeof value !== "function") return value;
      return (/** @type {any[]} */ ...given) => {
        functions.isInside = true;
        const result = value(...given);
        functions.isInside = false;
        return result;
      };
    },
  });
}
