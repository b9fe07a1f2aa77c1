// A page, or a program, that stays open while its tickets of two seconds end. Portable: no import.

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @param {typeof import("honeyhive-edge")} api
 * @param {string} relay where it is, and its `/ticket`
 * @param {string} sessionId
 */
export async function staysOpen({ initTracer }, relay, sessionId) {
  let asked = 0;
  const issued = async (/** @type {string} */ session) => {
    const body = JSON.stringify({ sessionId: session, fields: ["feedback"], expiresIn: 2 });
    return (await fetch(`${relay}/ticket`, { method: "POST", body })).text();
  };
  const ticket = () => {
    asked++;
    return issued(sessionId);
  };
  const options = { serverUrl: `${relay}/honeyhive`, logLevel: /** @type {const} */ ("silent") };
  const deliveries = [];

  // Asked for, twice in one page.
  const [tracer, twin] = await Promise.all([
    initTracer({ ...options, ticket }),
    initTracer({ ...options, ticket }),
  ]);
  const ids = [tracer.sessionId, twin.sessionId];
  for (let n = 0; n < 6; n++) {
    const one = n % 2 ? twin : tracer;
    deliveries.push(await one.enrichSession({ feedback: { [`asked${n}`]: true, last: n } }));
    await pause(800);
  }
  const askedWhileOpen = asked;

  // By hand, after the ticket has ended.
  const byHand = await initTracer({ ...options, ticket: await issued(sessionId) });
  await pause(3_100);
  const late = [1, 2].map((n) =>
    byHand.enrichSession({ feedback: { [`late${n}`]: true, last: n } }),
  );
  await pause(500);
  byHand.setTicket(await issued(crypto.randomUUID()));
  byHand.setTicket(await issued(sessionId));
  deliveries.push(...(await Promise.all(late)));

  // A function that fails costs what waits for it.
  const broken = await initTracer({
    ...options,
    deadlineMs: 1_000,
    timeoutMs: 300,
    ticket: () => new Promise(() => {}),
  });
  const lost = await broken.enrichSession({ feedback: { lost: true } });
  deliveries.push(await byHand.enrichSession({ feedback: { end: true } }));
  return { ids, deliveries, askedWhileOpen, lost };
}
