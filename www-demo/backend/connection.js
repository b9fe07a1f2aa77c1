// What becomes of a connection when a fault fires: held, cut, broken off, or slowed down. When that
// is, faults.js says.

/**
 * The connection a request came on.
 * @typedef {object} Connection
 * @property {(how: "reset" | "close") => void} cut ends it now, with a TCP reset or without
 */

/** Time for the first half of an answer to reach the client: the cut must not overtake it. */
const HALF_WAY_MS = 20;

/**
 * Waits, unless one of the signals comes before.
 * @param {number} ms milliseconds
 * @param {AbortSignal[]} signals
 */
export async function held(ms, signals) {
  if (ms === 0) return;
  await new Promise((resolve) => {
    const timer = setTimeout(done, ms, undefined);
    for (const signal of signals) signal.addEventListener("abort", done);
    if (signals.some((signal) => signal.aborted)) done();

    function done() {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", done);
      resolve(undefined);
    }
  });
}

/**
 * @param {Connection} [connection]
 * @returns {Response} for where there is no connection to cut: one that breaks off at once, and
 *   that nobody takes for success who reads its status only
 */
export function cut(connection) {
  connection?.cut("reset");
  return new Response(
    new ReadableStream({ start: (controller) => controller.error(new Error("connection cut")) }),
    { status: 502 },
  );
}

/**
 * The first half of an answer, and then nothing.
 * @param {Response} answer
 * @param {Connection} [connection]
 */
export async function broken(answer, connection) {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const half = bytes.subarray(0, Math.floor(bytes.length / 2));
  let sent = false;
  const body = new ReadableStream({
    async pull(controller) {
      if (!sent && half.length > 0) {
        sent = true;
        controller.enqueue(half);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, HALF_WAY_MS, undefined));
      if (connection) {
        connection.cut("close");
        controller.close();
      } else {
        controller.error(new Error("connection cut"));
      }
    },
  });
  return withBody(answer, body, bytes.length);
}

/**
 * The answer, a few bytes at a time.
 * @param {Response} answer
 * @param {{bytes: number, everyMs: number}} pace
 */
export async function trickled(answer, { bytes: step, everyMs }) {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (bytes.length === 0) return answer;
  let at = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const body = new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => {
        timer = setTimeout(resolve, everyMs, undefined);
      });
      controller.enqueue(bytes.subarray(at, at + step));
      at += step;
      if (at >= bytes.length) controller.close();
    },
    cancel: () => clearTimeout(timer),
  });
  return withBody(answer, body, bytes.length);
}

/**
 * @param {Response} answer
 * @param {ReadableStream} body
 * @param {number} length bytes it promises
 */
function withBody(answer, body, length) {
  const headers = new Headers(answer.headers);
  headers.set("content-length", `${length}`);
  return new Response(body, { status: answer.status, headers });
}
