// Everything in the package that reads a server's answer: the tracer, the exporter of spans, the relay and
// its queue's consumer. Portable: it runs inside the runtime under test, and returns what came of each.

/**
 * @typedef {object} Packages
 * @property {typeof import("honeyhive-edge")} api
 * @property {typeof import("honeyhive-edge/otel")} otel
 * @property {typeof import("honeyhive-edge/relay")} relay
 */

const SECRET = "bounded-secret-4e1b7d90c2a835f6-81";

/** @type {Record<string, (packages: Packages, options: any) => Promise<unknown>>} */
const READERS = {
  async tracer({ api }, options) {
    const tracer = await api.initTracer(options);
    const { status } = await tracer.enrichSession({ metadata: { a: 1 } });
    await tracer.close();
    return status;
  },

  async exporter({ otel }, options) {
    const exporter = new otel.HoneyHiveSpanExporter(options);
    const { code } = await new Promise((resolve) =>
      exporter.export([/** @type {any} */ (span)], resolve),
    );
    await exporter.shutdown();
    return code;
  },

  async relay({ relay }, options) {
    const sessionId = crypto.randomUUID();
    const ticket = await relay.issueTicket({ sessionId, fields: ["feedback"], secret: SECRET });
    const handle = relay.createRelay({ ...options, secret: SECRET });
    const answer = await handle(
      new Request(`https://shop.example/honeyhive/v1/events/${sessionId}`, {
        method: "PUT",
        headers: { authorization: `Bearer ${ticket}`, "content-type": "application/json" },
        body: '{"feedback":{"rating":5}}',
      }),
    );
    return [answer.status, await answer.json()];
  },

  async consumer({ relay }, options) {
    /** @type {string[]} */
    const fates = [];
    const messages = [1, 2].map((n) => ({
      body: `hhq1 ${crypto.randomUUID()} ${n}\n{"feedback":{"rating":${n}}}`,
      ack: () => void fates.push("ack"),
      retry: () => void fates.push("retry"),
    }));
    await relay.createConsumer(options)({ messages });
    return fates;
  },
};

/** What OpenTelemetry's SDK gives an exporter. */
const span = {
  name: "span",
  kind: 0,
  spanContext: () => ({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    traceFlags: 1,
  }),
  startTime: [1_700_000_000, 0],
  endTime: [1_700_000_001, 0],
  status: { code: 0 },
  attributes: {},
  links: [],
  events: [],
  duration: [1, 0],
  ended: true,
  resource: { attributes: {} },
  instrumentationScope: { name: "test" },
  droppedAttributesCount: 0,
  droppedEventsCount: 0,
  droppedLinksCount: 0,
};

/**
 * @param {Packages} packages
 * @param {string} serverUrl
 * @returns {Promise<Record<string, unknown>>}
 */
export async function readAnswers(packages, serverUrl) {
  /** @type {Record<string, unknown>} */
  const facts = {};
  for (const [name, reader] of Object.entries(READERS)) {
    const options = { apiKey: "hh_bounded_6a0d", serverUrl: `${serverUrl}/${name}` };
    // Far longer than it takes: it is to be bounded by what is read.
    facts[name] = await reader(packages, { ...options, timeoutMs: 60_000, deadlineMs: 120_000 });
  }
  return facts;
}

/** What has come of each where the server said that all is stored. */
export const STORED = {
  tracer: "delivered",
  exporter: 0,
  relay: [200, { success: true }],
  consumer: ["ack", "ack"],
};
