// One random program of the package's public surface, against a backend with faults, and what has to hold of it.

import { Backend } from "./backend.mjs";
import { Random } from "./random.mjs";
import { Time } from "./time.mjs";

/** @import { Delivery, EventDelivery, Tracer as PublicTracer } from "../../pkg-template/index.d.ts" */
/** @import { NewFace } from "./realm.mjs" */

const MASK = "[Redacted]";
const MERGED = ["metadata", "config", "feedback", "metrics", "user_properties"];

/**
 * A tracer as its user knows it.
 * @typedef {object} Known
 * @property {PublicTracer} tracer
 * @property {string} key
 * @property {string} id
 * @property {"keys" | "nothing" | "function" | "broken"} redact
 * @property {string[] | undefined} drops reasons that its `onDrop` was told
 * @property {boolean} isClosed
 * @property {boolean} isCounted whether the model knows all that it was given
 */

/**
 * A call as its caller knows it.
 * @typedef {object} Call
 * @property {string} session key and id
 * @property {Record<string, any>} fields as they are to be stored
 * @property {Known | undefined} owner
 * @property {Delivery | EventDelivery | undefined} end
 * @property {string[]} refusals the reasons for one of which it has to be dropped
 */

/** Lives a life. Throws what is wrong with it. Gives what the package has to let go of. */
export class Life {
  #random;
  #time = new Time();
  #backend;
  #face;
  #hasContexts;
  /** Whether the backend fails at all. */
  #canFail;
  /** @type {Known[]} */
  #tracers = [];
  /** The one that was made last in this context. @type {Known | undefined} */
  #made;
  /** @type {Call[]} */
  #calls = [];
  /** Ids of events, which any tracer may enrich. @type {string[]} */
  #events = [];
  /** Markers of secrets that may be in no request. @type {Set<number>} */
  #secrets = new Set();
  /** @type {Promise<unknown>[]} */
  #promises = [];
  /** @type {WeakRef<object>[]} */
  held = [];
  #marker = 1_000_000;

  /**
   * @param {number} seed
   * @param {boolean} hasContexts
   * @param {NewFace} newFace
   */
  constructor(seed, hasContexts, newFace) {
    this.#random = new Random(seed);
    this.#hasContexts = hasContexts;
    this.#backend = new Backend(this.#random, this.#time);
    this.#backend.faultRate = this.#random.pick([0, 0, 20, 60]);
    this.#canFail = this.#backend.faultRate > 0;
    const { fetch } = this.#backend;
    this.#face = newFace({ random: this.#random, time: this.#time, fetch, hasContexts });
  }

  /** @param {number} steps */
  live(steps) {
    return this.#face.apart(() => this.#live(steps));
  }

  /** @param {number} steps */
  async #live(steps) {
    for (let step = 0; step < steps; step++) {
      const kind = this.#random.below(24);
      if (kind < 3 || this.#tracers.length === 0) await this.#init();
      else if (kind < 14) this.#enrich();
      else if (kind === 14) this.#addMetrics();
      else if (kind === 15) this.#startSession();
      else if (kind === 16) this.#flush();
      else if (kind === 17) this.#close();
      else if (kind === 18) this.#withSession();
      else if (kind < 22) this.#enrichEvent();
      else if (kind === 22) this.#read();
      else await this.#time.pass(this.#random.below(3000));
      if (this.#random.once(4)) await this.#time.pass(this.#random.below(20));
    }
    this.#backend.faultRate = 0;
    await this.#time.until(this.#face.flush({ timeoutMs: 200_000 }));
    await this.#time.until(Promise.all(this.#promises));
    await this.#reports();
    for (const known of this.#tracers) if (this.#random.once(2)) this.#closeOne(known);
    await this.#time.until(Promise.all(this.#promises));
    // The answers to what a close has given up are still on their way.
    await this.#time.pass(60_000);
    this.#face.end();
    this.#check();
  }

  /** @param {Promise<unknown>} promise */
  #expect(promise) {
    if (!(promise instanceof Promise)) throw new Error("no promise");
    this.#promises.push(promise);
    return promise;
  }

  /** Options of some tracer, and what they come to. */
  #options() {
    const random = this.#random;
    const key = random.pick(["alpha", "beta"]);
    const redact = random.pick(/** @type {const} */ (["keys", "nothing", "function", "broken"]));
    /** @type {string[] | undefined} */
    const drops = random.once(3) ? undefined : [];
    /** @type {any} */
    const options = {
      apiKey: key,
      serverUrl: "https://hive.example",
      mergeWindowMs: random.below(400),
      deadlineMs: random.once(6) ? 5_000 : 1_000_000,
      logLevel: "silent",
    };
    if (random.once(8)) options.maxQueueBytes = 1_500;
    if (random.once(3)) options.sessionId = `11111111-1111-4111-8111-11111111111${random.below(2)}`;
    if (redact === "nothing") options.redact = false;
    if (redact === "broken") {
      options.redact = () => {
        throw new Error("broken");
      };
    }
    if (redact === "function") {
      options.redact = (/** @type {unknown} */ value, /** @type {string[]} */ path) =>
        path.at(-1) === "password" ? MASK : value;
    }
    if (drops) {
      const fails = random.once(4);
      options.onDrop = (/** @type {{ reason: string }} */ { reason }) => {
        drops.push(reason);
        if (fails) throw new Error("onDrop");
      };
      this.held.push(new WeakRef(options.onDrop));
    }
    if (random.once(3)) {
      const { fetch } = this.#backend;
      options.fetch = (/** @type {string} */ url, /** @type {RequestInit} */ init) =>
        fetch(url, init);
      this.held.push(new WeakRef(options.fetch));
    }
    if (random.once(6)) {
      const fails = random.once(3);
      options.waitUntil = () => {
        if (fails) throw new Error("waitUntil");
      };
    }
    return { options, key, redact, drops };
  }

  /** @param {PublicTracer} tracer @param {Pick<Known, "key" | "redact" | "drops">} options */
  #know(tracer, { key, redact, drops }) {
    const id = tracer.sessionId;
    /** @type {Known} */
    const known = { tracer, key, id, redact, drops, isClosed: false, isCounted: true };
    this.held.push(new WeakRef(tracer));
    return known;
  }

  #init() {
    const { options, ...rest } = this.#options();
    const making = this.#face.initTracer(options);
    return this.#time.until(making).then((tracer) => {
      this.#made = this.#know(tracer, rest);
      this.#tracers.push(this.#made);
    });
  }

  #startSession() {
    const parent = this.#random.pick(this.#tracers);
    this.#tracers.push(this.#know(parent.tracer.startSession({ sessionName: "child" }), parent));
  }

  #withSession() {
    const { options, ...rest } = this.#options();
    // Its tracer is known to nobody else, so no other has its session.
    delete options.sessionId;
    const fails = this.#random.once(4);
    const made = this.#face.withSession(options, (tracer) => {
      const known = this.#know(tracer, rest);
      this.#say(known, (fields) => tracer.enrichSession(fields));
      if (fails) throw new Error("mine");
    });
    const end = made.then(
      () => fails,
      (error) => !fails || error.message !== "mine",
    );
    this.#expect(end.then((isWrong) => isWrong && Promise.reject(new Error("withSession"))));
  }

  /** The tracer that a bare call is for; nothing where that is not clear. */
  #active() {
    if (this.#hasContexts) return this.#made;
    const open = this.#tracers.filter(({ isClosed }) => !isClosed);
    return open.length === 1 ? open[0] : undefined;
  }

  #enrich() {
    const random = this.#random;
    const known = random.pick(this.#tracers);
    const { tracer } = known;
    switch (random.below(6)) {
      case 0:
        return this.#say(known, (fields) => this.#face.enrichSession({ ...fields, tracer }));
      case 1:
        return tracer.run(() =>
          this.#say(known, (fields) => this.#face.enrichSession(/** @type {any} */ (fields))),
        );
      case 2: {
        const active = this.#active();
        if (!active) return undefined;
        return this.#say(active, (fields) => this.#face.enrichSession(/** @type {any} */ (fields)));
      }
      case 3: {
        const owners = this.#tracers.filter(({ id, isClosed }) => id === known.id && !isClosed);
        const owner = owners.length === 1 ? owners[0] : undefined;
        if (!owner) return undefined;
        return this.#say(owner, (fields) => this.#face.enrichSession(owner.id, fields));
      }
      default:
        return this.#say(known, (fields) => tracer.enrichSession(fields));
    }
  }

  /**
   * Something is said of the session of `owner`, or of an event, by `call`.
   * @param {Known} owner
   * @param {(fields: any) => Promise<Delivery | EventDelivery>} call
   * @param {string} [id] of the event
   */
  #say(owner, call, id = owner.id) {
    const random = this.#random;
    const marker = ++this.#marker;
    const key = random.pick(["a", "b", "c"]);
    /** @type {Record<string, any>} */
    const fields = random.pick([
      { metadata: { [key]: marker } },
      { outputs: { [key]: marker } },
      { feedback: { [key]: marker }, metrics: { [key]: marker } },
      { userProperties: { [key]: marker } },
      { metadata: { [key]: marker, password: `secret-${marker}` } },
      { config: { [key]: "x".repeat(random.below(500)) + marker } },
      { metadata: { [key]: marker, taste: random.once(4) ? "poison" : "good" } },
      { metadata: 3 },
    ]);
    const isInvalid = fields["metadata"] === 3;
    const refusals = [...(isInvalid ? ["invalid"] : []), ...(owner.isClosed ? ["closed"] : [])];
    if (owner.redact !== "nothing" && fields["metadata"]?.password) this.#secrets.add(marker);
    const session = `${owner.key} ${id}`;
    const stored = isInvalid ? {} : masked(fields, owner.redact);
    this.#note({ session, fields: stored, owner, end: undefined, refusals }, call(fields));
  }

  /** Of an event that the backend has already, as a span has sent it. */
  #enrichEvent() {
    const random = this.#random;
    const known = random.pick(this.#tracers);
    const { tracer, key } = known;
    if (this.#events.length < 3) this.#events.push(this.#face.newEventId());
    const id = random.pick(this.#events);
    const name = `${key} ${id}`;
    if (!this.#backend.sessions.has(name)) this.#backend.sessions.set(name, {});
    const isBare = random.once(2);
    this.#say(
      known,
      (fields) =>
        isBare ? this.#face.enrichEvent(id, { ...fields, tracer }) : tracer.enrichEvent(id, fields),
      id,
    );
  }

  /** Whatever comes of it, it ends. */
  #read() {
    const { tracer } = this.#random.pick(this.#tracers);
    const [event] = this.#events;
    const isSession = this.#random.once(2) || event === undefined;
    this.#expect(
      (isSession ? tracer.readSession() : tracer.readEvent(event)).then((read) => {
        if (read.status !== "found" && !read.reason) throw new Error(JSON.stringify(read));
      }),
    );
  }

  #addMetrics() {
    const known = this.#random.pick(this.#tracers);
    const given = this.#random.pick([{}, { tokens: "x" }]);
    const refusals = known.isClosed ? ["closed", "invalid"] : ["invalid"];
    const session = `${known.key} ${known.id}`;
    const promise = known.tracer.addMetrics(/** @type {any} */ (given));
    this.#note({ session, fields: {}, owner: known, end: undefined, refusals }, promise);
  }

  /** @param {Call} call @param {Promise<Delivery | EventDelivery>} promise */
  #note(call, promise) {
    this.#calls.push(call);
    const told = promise.then((end) => {
      if (call.end) throw new Error("it ended twice");
      call.end = end;
    });
    this.#expect(told);
  }

  #flush() {
    const { tracer } = this.#random.pick(this.#tracers);
    const timeoutMs = this.#random.below(20_000);
    this.#expect(
      this.#random.once(2) ? this.#face.flush({ timeoutMs }) : tracer.flush({ timeoutMs }),
    );
  }

  #close() {
    this.#closeOne(this.#random.pick(this.#tracers));
  }

  /** @param {Known} known */
  #closeOne(known) {
    const timeoutMs = this.#random.below(5_000);
    known.isClosed = true;
    const { tracer } = known;
    const dispose = () => /** @type {any} */ (tracer)[Symbol.asyncDispose]();
    // WebKit has none.
    const isDisposed = this.#random.once(4) && Symbol.asyncDispose !== undefined;
    this.#expect(isDisposed ? dispose() : tracer.close({ timeoutMs }));
  }

  /** What is reported, once all has ended, is what the calls were told. */
  async #reports() {
    const ended = (/** @type {Call[]} */ calls) => {
      const delivered = calls.filter(({ end }) => end?.status === "delivered").length;
      return { delivered, dropped: calls.length - delivered, pending: 0 };
    };
    const told = async (
      /** @type {string} */ what,
      /** @type {Promise<any>} */ report,
      /** @type {object} */ expected,
    ) => {
      const { delivered, dropped, pending } = await this.#time.until(report);
      const is = JSON.stringify({ delivered, dropped, pending });
      if (is !== JSON.stringify(expected)) {
        throw new Error(`${what} reports ${is}, and it is ${JSON.stringify(expected)}`);
      }
    };
    await told("flush", this.#face.flush(), ended(this.#calls));
    for (const known of this.#tracers) {
      await this.#readBack(known);
      const own = this.#calls.filter(({ owner }) => owner === known);
      await told("a tracer", known.tracer.flush(), ended(own));
    }
  }

  /** What is read is what is stored, now that no request fails; starts may still arrive. @param {Known} known */
  async #readBack({ tracer, key, id, isClosed }) {
    // Elsewhere an answer's body takes real time to read, in which the program's own may pass.
    if (isClosed || !globalThis.setImmediate) return;
    const stored = () => {
      const fields = this.#backend.sessions.get(`${key} ${id}`);
      return fields ? JSON.stringify({ event_id: id, ...fields }) : "not_found";
    };
    const before = stored();
    const read = await this.#time.until(tracer.readSession());
    const is = read.status === "found" ? JSON.stringify(read.event) : read.reason;
    if (is !== before && is !== stored()) {
      throw new Error(`${id} is read as ${is}, and it is ${stored()}`);
    }
  }

  #check() {
    for (const call of this.#calls) {
      const { end, refusals, owner } = call;
      if (!end) throw new Error(`it never ended: ${JSON.stringify(call.fields)}`);
      const reason = end.status === "dropped" ? end.reason : undefined;
      const isAtTheDoor = ["invalid", "no_session", "disabled", "too_large"].includes(reason ?? "");
      if (refusals.length > 0 ? !refusals.includes(reason ?? "") : isAtTheDoor) {
        throw new Error(`it should end as ${refusals}: ${JSON.stringify(end)}`);
      }
      const isBelieved =
        (reason !== "rejected" || call.fields["metadata"]?.taste === "poison") &&
        (reason !== "retries_exhausted" || this.#canFail);
      if (!isBelieved) throw new Error(`no server gave reason for ${JSON.stringify(end)}`);
      const { sessionId, eventId } = /** @type {{ sessionId?: string, eventId?: string }} */ (end);
      if (end.status === "delivered" && `${owner?.key} ${eventId ?? sessionId}` !== call.session) {
        throw new Error(`it was for ${call.session}: ${JSON.stringify(end)}`);
      }
    }
    for (const known of this.#tracers) {
      const dropped = this.#calls.filter(
        // Tracers that another one started have its functions.
        ({ owner, end }) => owner?.drops === known.drops && end?.status === "dropped",
      );
      if (known.drops && known.drops.length !== dropped.length) {
        throw new Error(`onDrop was told ${known.drops} of ${dropped.length} drops`);
      }
    }
    for (const body of this.#backend.bodies) {
      for (const [, marker] of body.matchAll(/secret-(\d+)/g)) {
        if (this.#secrets.has(Number(marker)))
          throw new Error(`a secret goes out in clear: ${body}`);
      }
    }
    for (const name of new Set(this.#calls.map(({ session }) => session))) {
      this.#checkSession(
        name,
        this.#calls.filter(({ session }) => session === name),
      );
    }
    for (const [name, fields] of this.#backend.sessions) this.#checkPlace(name, fields);
  }

  /** As one by one. @param {string} name @param {Call[]} calls */
  #checkSession(name, calls) {
    const stored = this.#backend.sessions.get(name) ?? {};
    /** @type {Map<string, { value: unknown, isDelivered: boolean }[]>} */
    const written = new Map();
    for (const { fields, end } of calls) {
      const isDelivered = end?.status === "delivered";
      const write = (/** @type {string} */ place, /** @type {unknown} */ value) => {
        written.set(place, [...(written.get(place) ?? []), { value, isDelivered }]);
      };
      for (const [field, value] of Object.entries(fields)) {
        if (!MERGED.includes(field)) write(field, value);
        else for (const [key, part] of Object.entries(value)) write(`${field}.${key}`, part);
      }
    }
    for (const [place, values] of written) {
      const [field = "", key] = place.split(".");
      const is = JSON.stringify(key === undefined ? stored[field] : stored[field]?.[key]);
      const last = values.findLastIndex(({ isDelivered }) => isDelivered);
      const possible = values.slice(Math.max(last, 0)).map(({ value }) => JSON.stringify(value));
      if (is === undefined ? last >= 0 : !possible.includes(is)) {
        throw new Error(`${name}: ${place} is ${is}, and one by one makes it ${possible}`);
      }
    }
  }

  /** Nothing is in a session that was said of another one. @param {string} name @param {object} fields */
  #checkPlace(name, fields) {
    const said = new Set(
      this.#calls
        .filter(({ session }) => session === name)
        .flatMap((call) => JSON.stringify(call.fields).match(/\b1\d{6}\b/g) ?? []),
    );
    for (const marker of JSON.stringify(fields).match(/\b1\d{6}\b/g) ?? []) {
      if (!said.has(marker)) throw new Error(`${marker} was not said of ${name}`);
    }
  }
}

/**
 * @param {Record<string, any>} fields
 * @param {Known["redact"]} redact
 * @returns {Record<string, any>} as the backend has them
 */
function masked(fields, redact) {
  /** @type {Record<string, any>} */
  const stored = {};
  for (const [name, value] of Object.entries(fields)) {
    const field = name === "userProperties" ? "user_properties" : name;
    stored[field] = redact === "broken" ? { redacted: MASK } : { ...value };
    if (redact !== "nothing" && stored[field].password) stored[field].password = MASK;
  }
  return stored;
}
