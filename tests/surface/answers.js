// Answers to a request, from servers and from doubles of `fetch` that misbehave: there is always one in time, and of
// none is more read than is of use. What was read is counted; a clock of the test's own says when time is up. It imports
// nothing: it runs around the JavaScript that sends, and inside wasm-bindgen's test of the Rust that does.

const MIB = 1024 * 1024;

/**
 * @typedef {{ status: number, retryAfter: string, body: string }} Answer
 * @typedef {(fetch: (url: string, init: any) => unknown, timeoutMs: number) => Promise<Answer>} Send
 * @typedef {{ tick(ms: number): void }} Clock
 */

/**
 * @param {unknown} is
 * @param {unknown} expected
 * @param {string} [what]
 */
function equal(is, expected, what = "") {
  const [one, other] = [JSON.stringify(is), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${what} is ${one.slice(0, 200)}, not ${other.slice(0, 200)}`);
}

/**
 * @param {unknown} condition
 * @param {string} what
 */
function must(condition, what) {
  if (!condition) throw new Error(what);
}

const fail = () => {
  throw new Error("not to be looked at");
};
const never = () => new Promise(() => {});

/**
 * A stream that goes on for as long as it is asked, and what of it was asked for.
 * @param {() => unknown} chunk
 */
function endless(chunk) {
  const asked = { reads: 0, bytes: 0, cancelled: 0 };
  const reader = {
    async read() {
      asked.reads++;
      const value = chunk();
      asked.bytes += /** @type {any} */ (value)?.length ?? 0;
      return { done: false, value };
    },
    cancel: () => void asked.cancelled++,
  };
  return { asked, body: { getReader: () => reader } };
}

/** @param {any} value as the `text` of something that is no stream */
const textOnly = (value) => ({ status: 200, text: async () => value });

const unreadable = new Proxy({}, { get: fail, has: fail, getPrototypeOf: fail });

const reading = (/** @type {() => any} */ read, cancel = () => {}) => ({
  getReader: () => ({ read, cancel }),
});

/** Answers whose status counts, whatever their bodies do. @type {Record<string, () => any>} */
const bodies = {
  "throws where it is looked for": () => ({
    status: 200,
    get body() {
      return fail();
    },
  }),
  "lets nothing be looked at": () => ({ status: 200, body: unreadable }),
  "is locked": () => {
    const locked = new Response("locked");
    locked.body?.getReader();
    return locked;
  },
  "gives no reader": () => ({ status: 200, body: { getReader: fail } }),
  "gives a reader that is none": () => ({ status: 200, body: { getReader: () => ({}) } }),
  "throws when it is read": () => ({ status: 200, body: reading(fail) }),
  "rejects when it is read": () => ({ status: 200, body: reading(() => Promise.reject()) }),
  "reads as nothing": () => ({ status: 200, body: reading(() => undefined) }),
  "reads as something else": () => ({ status: 200, body: reading(() => unreadable) }),
  "throws when it is cancelled": () => ({ status: 200, body: reading(() => ({}), fail) }),
  "rejects when it is cancelled": () => ({
    status: 200,
    body: reading(
      () => ({}),
      () => Promise.reject(new Error("no")),
    ),
  }),
  "has a text that is none": () => textOnly({}),
  "has a text that throws": () => ({ status: 200, text: fail }),
  "has neither text nor JSON": () => ({ status: 200 }),
  "has JSON that is none": () => ({ status: 200, json: async () => 1n }),
  "has headers that throw": () => ({ ...textOnly(""), headers: { get: fail } }),
  "has headers that reject": () => ({
    ...textOnly(""),
    headers: { get: () => Promise.reject(new Error("no")) },
  }),
  ...Object.fromEntries(
    [1, null, {}, [1], new ArrayBuffer(3), unreadable, Symbol("chunk")].map((value) => [
      `has chunks of ${typeof value} ${value === unreadable ? "" : Object.prototype.toString.call(value)}`,
      () => ({ status: 200, body: endless(() => value).body }),
    ]),
  ),
  "has a chunk that lies about its length": () => {
    const chunk = new Uint8Array(8);
    Object.defineProperty(chunk, "byteLength", { value: NaN });
    return { status: 200, body: endless(() => chunk).body };
  },
  "has a chunk whose memory is gone": () => {
    const chunk = new Uint8Array(8);
    structuredClone(chunk.buffer, { transfer: [chunk.buffer] });
    return { status: 200, body: endless(() => chunk).body };
  },
};

const stalled = (/** @type {any[]} */ ...chunks) => ({
  getReader: () => ({
    read: () => (chunks.length > 0 ? { value: new TextEncoder().encode(chunks.shift()) } : never()),
    cancel: never,
  }),
});

/** Answers that never end, and what of them was there in time. @type {Record<string, [answer: () => any, body: string]>} */
const unending = {
  "a stream that stalls": [() => ({ status: 200, body: stalled() }), ""],
  "one that stalls later": [() => ({ status: 200, body: stalled("abc", "def") }), "abcdef"],
  "a text that never comes": [() => ({ status: 200, text: never }), ""],
  "JSON that never comes": [() => ({ status: 200, json: never }), ""],
  "a thenable that calls nobody": [() => ({ status: 200, text: () => ({ then() {} }) }), ""],
};

/** What `fetch` may do instead of answering, and what is told of it. @type {Record<string, [() => unknown, status: number, why: RegExp]>} */
const failures = {
  throws: [fail, -1, /^not to be looked at$/],
  "throws nothing": [() => { throw undefined; }, -1, /^fetch failed$/], // prettier-ignore
  "rejects with a text": [() => Promise.reject("offline"), -1, /^offline$/],
  "rejects with nothing": [() => Promise.reject(), -1, /^fetch failed$/],
  "rejects with a symbol": [() => Promise.reject(Symbol("no")), -1, /^fetch failed$/],
  "rejects with what cannot be read": [() => Promise.reject(unreadable), -1, /^fetch failed$/],
  "rejects with causes": [
    () =>
      Promise.reject(
        Object.assign(new TypeError("fetch failed"), {
          cause: Object.assign(new Error("refused"), { code: "ECONNREFUSED" }),
        }),
      ),
    -1,
    /^fetch failed: refused \(ECONNREFUSED\)$/,
  ],
  "rejects with one of several addresses": [
    () => Promise.reject({ message: "no", errors: [{ code: "EHOSTUNREACH" }] }),
    -1,
    /^no: EHOSTUNREACH$/,
  ],
  "rejects with causes without end": [
    () => {
      /** @type {any} */
      const error = { message: "round" };
      error.cause = error;
      return Promise.reject(error);
    },
    -1,
    /^round$/,
  ],
  "gives nothing": [() => undefined, -3, /returned something without a `status`/],
  "gives a text": [async () => "200 OK", -3, /returned something without a `status`/],
  "gives a status that is none": [
    async () => ({ status: "200" }),
    -3,
    /returned something without a `status`/,
  ],
  "gives a status that rejects": [
    async () => ({ status: Promise.reject(new Error("no")) }),
    -3,
    /returned something without a `status`/,
  ],
  "gives what cannot be read": [
    async () => new Proxy({}, { get: (_, key) => (key === "then" ? undefined : fail()) }),
    -3,
    /returned something without a `status`/,
  ],
  "gives a then that throws": [() => ({ then: fail }), -1, /^not to be looked at$/],
  "gives a then that cannot be read": [
    () => ({
      get then() {
        return fail();
      },
    }),
    -1,
    /^not to be looked at$/,
  ],
};

/**
 * What holds of whatever sends. Each is over when its promise is, and rejects where it does not hold.
 * @param {Send} send
 * @param {Clock} clock
 * @returns {Record<string, () => Promise<void>>}
 */
export function answerCases(send, clock) {
  const answered = (/** @type {any} */ answer) => send(async () => answer, 60_000);
  /** @type {Record<string, () => Promise<void>>} */
  const cases = {
    async "read in chunks of any size to a MiB, and cancelled then"() {
      for (const size of [1, 100, 16_384, 65_536, 3 * MIB]) {
        const { asked, body } = endless(() => new Uint8Array(size).fill(97));
        const { status, body: text } = await answered({ status: 422, body });
        equal(status, 422);
        must(text.length <= MIB && text.length >= Math.min(MIB, size * 1000), `${text.length}`);
        must(/^a+$/.test(text), "it is something else");
        must(asked.bytes <= MIB + size, `${asked.bytes} bytes in chunks of ${size}`);
        equal(asked.cancelled, 1, "how often it was cancelled");
      }
    },
    async "read in chunks of nothing, of which none comes after the other without end"() {
      const { asked, body } = endless(() => new Uint8Array(0));
      equal((await answered({ status: 200, body })).status, 200);
      must(asked.reads <= 20_000, `${asked.reads} reads`);
      equal(asked.cancelled, 1, "how often it was cancelled");
    },
    async "cut where there is no stream"() {
      const long = "x".repeat(3 * MIB);
      for (const body of [undefined, null, long, {}, 7]) {
        const answer = await answered({ ...textOnly(long), body });
        equal([answer.status, answer.body.length], [200, MIB]);
      }
      const json = { status: 422, json: async () => ({ message: long }) };
      equal((await answered(json)).body.slice(0, 15), '{"message":"xxx');
      equal((await answered(json)).body.length, MIB);
    },
    async "cut where a header or a reason is long"() {
      const long = "x".repeat(3 * MIB);
      const headers = { get: () => long };
      must((await answered({ ...textOnly(""), headers })).retryAfter.length <= 1024, "a header");
      for (const reason of [long, new Error(long)]) {
        const { status, body } = await send(() => Promise.reject(reason), 60_000);
        equal(status, -1);
        must(body.length <= 1024, "a reason");
      }
      const words = "word ".repeat(1000);
      const { body } = await send(() => Promise.reject(words), 60_000);
      must(body.length > 1000 && body.length <= 1025 && /^(word )+$/.test(body), body);
    },
    async "read as text, whatever its letters and wherever they are cut"() {
      const text = "\u{1f600}é中a\u{10ffff}";
      const bytes = new TextEncoder().encode(`\ufeff${text}`);
      for (let size = 1; size <= bytes.length; size++) {
        let at = 0;
        const read = () =>
          at < bytes.length ? { value: bytes.subarray(at, (at += size)) } : { done: true };
        equal((await answered({ status: 200, body: reading(read) })).body, text);
      }
      const strings = ['{"a"', ":1}"];
      const read = () => (strings.length > 0 ? { value: strings.shift() } : { done: true });
      equal((await answered({ status: 200, body: reading(read) })).body, '{"a":1}');
    },
    async "not aborted where it ends in time"() {
      /** @type {any} */
      let given;
      const fetch = async (/** @type {string} */ _, /** @type {any} */ init) => {
        given = init;
        return Response.json({});
      };
      equal((await send(fetch, 500)).body, "{}");
      equal([given.signal?.aborted, given.redirect], [false, "manual"]);
    },
    async "none where no answer comes in time"() {
      /** @type {any} */
      let given;
      const fetch = (/** @type {string} */ _, /** @type {any} */ init) => {
        given = init;
        return never();
      };
      const sent = send(fetch, 500);
      await turns();
      clock.tick(500);
      equal(await sent, { status: -2, retryAfter: "", body: "no answer within 500 ms" });
      equal(given.signal?.aborted, true, "whether nobody listens any more");
    },
  };
  for (const [name, make] of Object.entries(bodies)) {
    cases[`of a status that counts, where the body ${name}`] = async () =>
      equal((await answered(make())).status, 200);
  }
  for (const [name, [make, body]] of Object.entries(unending)) {
    cases[`ended by its time: ${name}`] = async () => {
      /** @type {any} */
      let given;
      let ended = false;
      const fetch = async (/** @type {string} */ _, /** @type {any} */ init) => {
        given = init;
        return make();
      };
      const sent = send(fetch, 500).finally(() => (ended = true));
      await turns();
      clock.tick(499);
      await turns();
      equal(ended, false, "whether it is over");
      clock.tick(1);
      equal(await sent, { status: 200, retryAfter: "", body });
      equal(given.signal?.aborted, true, "whether nobody listens any more");
    };
  }
  for (const [name, [fetch, status, why]] of Object.entries(failures)) {
    cases[`none where fetch ${name}`] = async () => {
      const answer = await send(fetch, 60_000);
      equal([answer.status, answer.retryAfter], [status, ""]);
      must(why.test(answer.body), `it says ${answer.body}`);
    };
  }
  // The last one: from then on no signal is given to anybody.
  cases["asked for again without a signal where fetch takes none"] = async () => {
    const fetch = async (/** @type {string} */ _, /** @type {any} */ init) => {
      if ("signal" in init) throw new TypeError("init.signal is not of AbortSignal");
      return Response.json({});
    };
    equal((await send(fetch, 500)).status, 200);
  };
  return cases;
}

/**
 * Sends to a server that never answers, again and again.
 * @param {Send} send
 * @param {Clock} clock
 * @param {number} times
 */
export async function sendToNobody(send, clock, times) {
  for (let time = 0; time < times; time++) {
    const sent = send(never, 500);
    await turns();
    clock.tick(500);
    equal((await sent).status, -2);
  }
}

/** Lets everything run that waits for nothing. */
async function turns() {
  for (let turn = 0; turn < 50; turn++) await undefined;
}

/**
 * A host for the Rust that sends, with a clock that passes when it is told to, and what is needed to send by it.
 * @param {(scope: number) => void} run polls the futures of a scope
 */
export function newBench(run) {
  /** @type {Map<object, { at: number, handler: () => void }>} */
  const timers = new Map();
  let now = 0;
  const clock = {
    /** @param {number} ms */
    tick(ms) {
      now += ms;
      for (const [timer, { at, handler }] of timers) {
        if (at > now) continue;
        timers.delete(timer);
        handler();
      }
    },
  };
  const host = {
    timers,
    now: () => now,
    wallNow: () => Date.now(),
    parseDate: (/** @type {string} */ text) => Date.parse(text),
    wakeScope: (/** @type {number} */ scope) => void Promise.resolve().then(() => run(scope)),
    startTimer(/** @type {() => void} */ handler, /** @type {number} */ ms) {
      const timer = {};
      timers.set(timer, { at: now + ms, handler });
      return timer;
    },
    clearTimer: (/** @type {object} */ timer) => void timers.delete(timer),
    disregard(/** @type {any} */ value) {
      if (value instanceof Promise) value.catch(() => {});
    },
    listen(/** @type {any} */ value) {
      /** @type {((error: unknown) => void) | undefined} */
      let listener;
      return {
        then(
          /** @type {(value: unknown) => void} */ ok,
          /** @type {(error: unknown) => void} */ no,
        ) {
          listener = no;
          const once = (/** @type {(value: unknown) => void} */ fn) => (/** @type {any} */ it) => {
            if (!listener) return;
            listener = undefined;
            fn(it);
          };
          (async () => await value)().then(once(ok), once(no));
        },
        forget() {
          const last = listener;
          listener = undefined;
          last?.(undefined);
        },
      };
    },
  };
  return { host, clock };
}
