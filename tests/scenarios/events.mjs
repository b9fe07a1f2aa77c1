// Single events: enriched by their ids, by a tracer and by a bare call, and read back; and a session of an experiment.
// On a current deployment and on one that knows only the legacy routes.

/** @param {import("./runner.mjs").Context} context */
export async function run({ api, servers, keys, lines }) {
  const { initTracer, enrichEvent, newEventId, sessionIdFrom } = api;
  /** @type {Record<string, any>} */
  const facts = {};
  for (const name of /** @type {const} */ (["v1", "legacy"])) {
    /** @type {any[]} */
    const drops = [];
    const tracer = await initTracer({
      apiKey: keys.main,
      serverUrl: servers[name],
      sessionName: "answers",
      experiment: { runId: "run-1", datasetId: "set-1", datapointId: "point-1" },
      metadata: { plan: "pro" },
      mergeWindowMs: 1,
      onDrop: (dropped) => drops.push(dropped),
    });
    await tracer.enrichSession({ feedback: { ground_truth: "Ottawa" } });
    const ids = [newEventId(), newEventId(), sessionIdFrom(`answer 3 of ${tracer.sessionId}`)];
    for (const id of ids) await makeEvent(servers[name], keys.main, name, id, tracer.sessionId);
    const unknown = newEventId();
    const deliveries = await Promise.all([
      tracer.enrichEvent(ids[1], {
        feedback: { thumb: "up", password: "hunter2" },
        metrics: { score: 1 },
        metadata: { a: 1 },
        outputs: { text: "Ottawa" },
        config: { model: "m" },
        userProperties: { plan: "pro" },
      }),
      // In a page, other sessions may be open.
      tracer.run(() => enrichEvent(ids[1], { feedback: { thumb: "down" } })),
      enrichEvent(`answer 3 of ${tracer.sessionId}`, { tracer, feedback: { thumb: "up" } }),
      tracer.enrichEvent(unknown, { feedback: { thumb: "up" } }),
      tracer.enrichEvent(tracer.sessionId, { metadata: { asEvent: true } }),
      tracer.enrichEvent("", { feedback: { thumb: "up" } }),
      tracer.enrichEvent(/** @type {any} */ ({ eventId: unknown }), { feedback: {} }),
      tracer.enrichEvent(unknown, {}),
      enrichEvent(unknown, { tracer: /** @type {any} */ ({}), feedback: { thumb: "up" } }),
    ]);
    const reads = await Promise.all([
      tracer.readSession(),
      tracer.readSession(tracer.sessionId),
      tracer.readEvent(ids[1]),
      tracer.readEvent(unknown),
      tracer.readEvent(/** @type {any} */ (undefined)),
    ]);
    await tracer.close();
    const afterClose = await tracer.readSession();
    facts[name] = {
      sessionId: tracer.sessionId,
      ids,
      unknown,
      deliveries,
      reads,
      afterClose,
      drops,
    };
  }
  const other = await initTracer({ apiKey: "wrong", serverUrl: servers.v1, logLevel: "silent" });
  const down = await initTracer({ apiKey: keys.main, serverUrl: servers.down, logLevel: "silent" });
  const none = await initTracer({ apiKey: "", disabled: true, serverUrl: servers.v1 });
  const withTicket = await initTracer({
    ticket: TICKET,
    serverUrl: servers.v1,
    logLevel: "silent",
  });
  facts.failures = (
    await Promise.all([
      other.readSession(),
      down.readSession(),
      none.readSession(),
      withTicket.readEvent(newEventId()),
    ])
  ).map((read) => ({ status: read.status, reason: read.status === "failed" && read.reason }));
  for (const tracer of [other, down, none, withTicket]) await tracer.close({ timeoutMs: 0 });
  facts.lines = lines.length;
  facts.isBrowser = (globalThis.navigator?.userAgent ?? "").startsWith("Mozilla");
  return facts;
}

const TICKET = `hht1.0a0a0a0a-0000-4000-8000-000000000000.feedback.99999999999.${"A".repeat(43)}`;

/**
 * What HoneyHive makes of a model call's span.
 * @param {string} server
 * @param {string} key
 * @param {"v1" | "legacy"} routes
 * @param {string} event_id
 * @param {string} session_id
 */
async function makeEvent(server, key, routes, event_id, session_id) {
  const event = { event_id, session_id, event_type: "model", event_name: "answer", inputs: {} };
  const answer = await fetch(`${server}${routes === "v1" ? "/v1/events" : "/events"}`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(routes === "v1" ? event : { event }),
  });
  if (answer.status !== 200) throw new Error(await answer.text());
}
