// Where each field of an enrichment ends up: inputs before and after the start, errors, unknown
// keys, lists as outputs, replaced outputs, times, added metrics, fields that are no objects.

/** @param {import("./runner.mjs").Context} context */
export async function run({ api, servers, keys }) {
  const { initTracer } = api;
  // The window only costs time here: what is asserted does not depend on it.
  const open = (/** @type {object} */ options) =>
    initTracer({ apiKey: keys.main, serverUrl: servers.v1, mergeWindowMs: 1, ...options });
  /** @type {Record<string, any>} */
  const facts = {};

  {
    const tracer = await open({
      sessionName: "early",
      inputs: { question: "why?" },
      metadata: { at: "start" },
      config: { model: "m" },
      userProperties: { plan: "pro" },
    });
    const delivery = await tracer.enrichSession({ inputs: { language: "en" }, metadata: { a: 1 } });
    facts.early = { sessionId: tracer.sessionId, delivery, report: await tracer.close() };
  }
  {
    const tracer = await open({ sessionName: "late", inputs: { question: "why?" } });
    await tracer.enrichSession({ metadata: { first: true } });
    const delivery = await tracer.enrichSession({ inputs: { question: "and how?" } });
    await tracer.close();
    facts.late = { sessionId: tracer.sessionId, delivery };
  }
  {
    const tracer = await open({ sessionName: "error" });
    const error = new TypeError("model is not a function");
    const delivery = await tracer.enrichSession({ error, metadata: { kept: true } });
    await tracer.close();
    facts.error = { sessionId: tracer.sessionId, delivery, stack: error.stack };
  }
  {
    const tracer = await open({ sessionName: "error text" });
    const delivery = await tracer.enrichSession({ error: "out of tokens" });
    await tracer.close();
    facts.errorText = { sessionId: tracer.sessionId, delivery };
  }
  {
    const tracer = await open({ sessionName: "unknown" });
    const delivery = await tracer.enrichSession(
      /** @type {any} */ ({
        team: "search",
        nested: { deep: [1] },
        nothing: undefined,
        metadata: { a: 1 },
      }),
    );
    await tracer.close();
    facts.unknown = { sessionId: tracer.sessionId, delivery };
  }
  {
    const tracer = await open({ sessionName: "outputs" });
    await tracer.enrichSession({ outputs: { first: 1, second: 2 } });
    await tracer.enrichSession({ outputs: { third: 3 } });
    const replaced = tracer.sessionId;
    await tracer.close();

    const listed = await open({ sessionName: "list" });
    await listed.enrichSession(/** @type {any} */ ({ outputs: ["a", { b: 1 }] }));
    await listed.close();

    const merged = await open({ sessionName: "merged" });
    merged.enrichSession({ outputs: { first: 1 }, metadata: { a: 1, b: 1 }, feedback: { x: 1 } });
    merged.enrichSession({ outputs: { second: 2 }, metadata: { b: { c: 2 } }, feedback: { y: 2 } });
    const report = await merged.close();
    facts.outputs = { replaced, listed: listed.sessionId, merged: merged.sessionId, report };
  }
  {
    const tracer = await open({ sessionName: "times" });
    const delivery = await tracer.enrichSession({ duration: 1234.5, endTime: 1_700_000_000_000 });
    await tracer.close();
    facts.times = { sessionId: tracer.sessionId, delivery };
  }
  {
    const tracer = await open({ sessionName: "added" });
    tracer.addMetrics({ tokens: 10, cost: 0.25 });
    await tracer.addMetrics({ tokens: 5 });
    const delivery = await tracer.addMetrics({ cost: 0.5, calls: 1 });
    await tracer.close();
    facts.added = { sessionId: tracer.sessionId, delivery };
  }
  {
    const tracer = await open({ sessionName: "no object" });
    const delivery = await tracer.enrichSession(
      /** @type {any} */ ({
        metadata: 3,
        config: "fast",
        feedback: { rating: 4 },
        duration: "long",
      }),
    );
    await tracer.close();
    facts.noObject = { sessionId: tracer.sessionId, delivery };
  }
  {
    const tracer = await open({ sessionName: "snapshot" });
    const metadata = { list: [1], name: "as it was" };
    const delivered = tracer.enrichSession({ metadata });
    metadata.name = "changed later";
    metadata.list.push(2);
    await delivered;
    await tracer.close();
    facts.snapshot = { sessionId: tracer.sessionId, metadata };
  }
  return facts;
}
