// Set up wrongly: a server that is no HoneyHive, a key that is missing, wrong or has a stray newline,
// a page for an answer. Each part's log lines are kept apart; the application goes on.

/** @param {import("./runner.mjs").Context} context */
export async function run({ api, servers, keys, lines }) {
  /** @type {Record<string, any>} */
  const facts = { isPage: "document" in globalThis };
  /**
   * @param {string} name
   * @param {object} options
   */
  const part = async (name, options) => {
    const from = lines.length;
    const tracer = await api.initTracer({
      sessionName: name,
      mergeWindowMs: 1,
      timeoutMs: 1000,
      deadlineMs: 1500,
      ...options,
    });
    const first = await tracer.enrichSession({ metadata: { first: true } });
    const second = await api.enrichSession({ metadata: { second: true } });
    const report = await tracer.close();
    facts[name] = {
      sessionId: tracer.sessionId,
      enabled: tracer.enabled,
      deliveries: [first, second],
      report,
      lines: lines.slice(from),
      wentOn: true,
    };
  };

  await part("none", { apiKey: keys.main, serverUrl: servers.none });
  await part("none405", { apiKey: keys.main, serverUrl: servers.none405 });
  await part("page", { apiKey: keys.main, serverUrl: servers.page });
  await part("missingKey", { serverUrl: servers.v1 });
  await part("emptyKey", { apiKey: "", serverUrl: servers.v1 });
  await part("wrongKey", { apiKey: keys.other, serverUrl: servers.v1 });
  await part("newlineKey", { apiKey: `${keys.main}\n`, serverUrl: servers.v1 });
  await part("newlineWithin", {
    apiKey: `${keys.main.slice(0, 12)}\r\n${keys.main.slice(12)}`,
    serverUrl: servers.v1,
  });
  await part("noUrl", { apiKey: keys.main, serverUrl: "ftp://127.0.0.1" });
  await part("disabled", { apiKey: keys.main, serverUrl: servers.v1, disabled: true });
  return facts;
}
