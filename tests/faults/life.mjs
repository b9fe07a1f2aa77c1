// What an application does while things go wrong around it. Portable: it runs inside the runtime
// under test, and returns what it was told.

/**
 * @typedef {{api: typeof import("honeyhive-edge"), options: import("honeyhive-edge").TracerOptions}} Given
 * @typedef {{level: string, text: string}} Line
 */

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * The life of one session: twenty enrichments, some at once and some with time between them.
 * @param {Given & {number: number}} given
 */
export async function life({ api, options, number }) {
  const tracer = await api.initTracer({ ...options, inputs: { number } });
  const said = [];
  /** What sending each by itself, in order, on a perfect network makes of it. @type {any} */
  const expected = { metadata: {}, metrics: { calls: 0 }, user_properties: {} };
  for (let n = 0; n < 20; n++) {
    if (n % 5 === 4) {
      expected.metrics.calls += n;
      said.push(tracer.addMetrics({ calls: n }));
    } else {
      const metadata = { last: n, [`key ${n % 7}`]: { n, number } };
      const outputs = { [`only ${n}`]: number };
      Object.assign(expected.metadata, metadata);
      Object.assign(expected.user_properties, { [n % 3]: n });
      expected.outputs = outputs;
      said.push(tracer.enrichSession({ metadata, outputs, userProperties: { [n % 3]: n } }));
    }
    if (n % 4 === 3) await sleep(120);
  }
  const deliveries = await Promise.all(said);
  const { delivered, dropped, pending } = await tracer.flush();
  return { sessionId: tracer.sessionId, expected, deliveries, delivered, dropped, pending };
}

/**
 * Three calls in one tick, and what was printed meanwhile.
 * @param {Given} given
 */
export async function calls({ api, options }) {
  /** @type {Line[]} */
  const lines = [];
  const levels = /** @type {const} */ (["error", "warn", "info", "log", "debug"]);
  const own = levels.map((level) => console[level]);
  for (const level of levels) console[level] = (text) => void lines.push({ level, text });
  try {
    const tracer = await api.initTracer(options);
    const said = [1, 2, 3].map((n) => tracer.enrichSession({ metadata: { n } }));
    const deliveries = await Promise.all(said);
    return { sessionId: tracer.sessionId, deliveries, lines };
  } finally {
    levels.forEach((level, i) => (console[level] = /** @type {any} */ (own[i])));
  }
}
