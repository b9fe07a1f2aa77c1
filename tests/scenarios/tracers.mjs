// Tracers beside one another, and what a tracer offers: keys and servers of their own, callers'
// objects left alone, the session that `run` and `withSession` make active, totals, headers, the end.

/** @param {import("./runner.mjs").Context} context */
export async function run({ api, servers, keys }) {
  const { initTracer, enrichSession, withSession, sessionIdFrom, sessionIdFromHeaders } = api;
  /** @type {Record<string, any>} */
  const facts = {};

  {
    // One enrichment for both: what one tracer adds to it would show in the other's session.
    const shared = deepFreeze({
      metadata: { user: { id: 1, tags: ["a", "b"] } },
      config: { model: "m" },
      outputs: { answer: [1, { two: 2 }] },
    });
    const before = JSON.stringify(shared);
    const options = deepFreeze({
      apiKey: keys.main,
      serverUrl: servers.v1,
      sessionName: "left",
      project: "left-project",
      metadata: { start: { of: "left" } },
    });
    const left = await initTracer(options);
    const right = await initTracer(
      deepFreeze({
        apiKey: keys.other,
        serverUrl: servers.second,
        sessionName: "right",
        source: "staging",
      }),
    );
    const deliveries = await Promise.all([
      left.enrichSession(shared),
      right.enrichSession(shared),
      enrichSession(deepFreeze({ tracer: left, metadata: { only: "left" } })),
      enrichSession(deepFreeze({ tracer: right, metadata: { only: "right" } })),
      left.run(() => enrichSession({ feedback: { from: "left" } })),
      right.run(() => enrichSession({ feedback: { from: "right" } })),
      // An id is enough where it names the session of an open tracer: its key and server are used.
      enrichSession({ sessionId: left.sessionId, metrics: { by: 1 } }),
      enrichSession(right.sessionId, { metrics: { by: 2 } }),
    ]);
    facts.pair = {
      left: {
        id: left.sessionId,
        name: left.sessionName,
        project: left.project,
        enabled: left.enabled,
      },
      right: { id: right.sessionId, source: right.source, project: right.project },
      deliveries,
      unchanged: JSON.stringify(shared) === before,
      reports: await Promise.all([left.close(), right.close()]),
    };
  }
  {
    const value = await withSession(
      { apiKey: keys.main, serverUrl: servers.v1, sessionName: "within", mergeWindowMs: 1 },
      async (tracer) => {
        void enrichSession({ metadata: { bare: true } });
        facts.within = { sessionId: tracer.sessionId, active: api.activeTracer() === tracer };
        return 42;
      },
    );
    const failure = new Error("the application's own");
    const caught = await withSession(
      { apiKey: keys.main, serverUrl: servers.v1, sessionName: "thrown", mergeWindowMs: 1 },
      (tracer) => {
        facts.within.thrown = tracer.sessionId;
        tracer.enrichSession({ metadata: { before: "the throw" } });
        throw failure;
      },
    ).catch((error) => error);
    facts.within = { ...facts.within, value, sameError: caught === failure };
  }
  {
    const tracer = await initTracer({
      apiKey: keys.main,
      serverUrl: servers.v1,
      sessionName: "parent",
      mergeWindowMs: 1,
    });
    const child = tracer.startSession({ sessionName: "child", metadata: { of: "parent" } });
    await child.enrichSession({ metadata: { own: true } });
    await child.close();

    const headers = tracer.propagationHeaders();
    facts.carried = {
      sessionId: tracer.sessionId,
      child: child.sessionId,
      fromRecord: sessionIdFromHeaders(headers),
      fromHeaders: sessionIdFromHeaders(new Headers(headers)),
      fromNothing: sessionIdFromHeaders({ "content-type": "text/plain" }) ?? null,
      named: sessionIdFrom("conversation 1"),
      same: sessionIdFrom(tracer.sessionId) === tracer.sessionId,
    };

    tracer.enrichSession({ metadata: { sent: "by flush" } });
    const flushed = await tracer.flush();
    const closed = await tracer.close();
    /** @type {any} */
    const late = await tracer.enrichSession({ metadata: { too: "late" } });
    facts.ended = { flushed, closed, late, again: await tracer.close() };
  }
  {
    /** @type {any[]} */
    const dropped = [];
    const tracer = await initTracer({
      apiKey: keys.main,
      serverUrl: servers.down,
      deadlineMs: 300,
      timeoutMs: 200,
      mergeWindowMs: 1,
      logLevel: "silent",
      onDrop(lost) {
        dropped.push(lost);
        throw new Error("an onDrop that fails");
      },
    });
    const delivery = await tracer.enrichSession({ metadata: { lost: { on: "the way" } } });
    const report = await tracer.close();
    facts.lost = { sessionId: tracer.sessionId, delivery, dropped, report };
  }
  {
    // A tracer for each request, each with a `fetch` of its own: the session is one all the same.
    const sessionId = sessionIdFrom("one session of many tracers");
    let now = 0;
    let atOnce = 0;
    const add = async (/** @type {number} */ tokens) => {
      const tracer = await initTracer({
        apiKey: keys.main,
        serverUrl: servers.v1,
        sessionId,
        mergeWindowMs: 1,
        fetch: async (/** @type {any} */ ...given) => {
          // What the totals begin with is read beside that.
          const isRead = given[1].method === "GET" || given[0].endsWith("/search");
          if (isRead) return Reflect.apply(fetch, undefined, given);
          atOnce = Math.max(atOnce, ++now);
          try {
            return await Reflect.apply(fetch, undefined, given);
          } finally {
            now--;
          }
        },
      });
      return { tracer, delivery: await tracer.addMetrics({ tokens }) };
    };
    const added = await Promise.all([5, 3, 20, 100].map(add));
    const deliveries = added.map(({ delivery }) => delivery);
    // In a page, a session left open would be one that a later scenario's bare call could mean.
    for (const { tracer } of added) await tracer.close();
    facts.shared = { sessionId, deliveries, atOnce, active: api.activeTracer()?.sessionId ?? null };
  }
  return facts;
}

/**
 * @template T
 * @param {T} value
 * @returns {T}
 */
function deepFreeze(value) {
  // A tracer inside is not the caller's data.
  if (typeof value === "object" && value !== null && !("enrichSession" in value)) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
