// Tells open viewers what changed, as server-sent events. What happens within a moment is told together:
// a burst of writes is not to be a burst of events.

/** Milliseconds; well under what a person sees as late. */
const MOMENT = 40;

/** Keeps proxies from taking a quiet stream for a dead one. */
const HEARTBEAT_MS = 20_000;

/** Sessions and requests named in one event; who missed more asks again. */
const MOST = 200;

/** @typedef {import("./sessions.js").Filters} Filters */
/** @typedef {{sessions: number[], requests: import("./wire.js").WireRequest[]}} Changed */
/** @typedef {{writer: WritableStreamDefaultWriter<Uint8Array>, filters: Filters, leave: () => void}} Viewer */

/** @param {(changed: Changed, filters: Filters) => object} describe what is told of that */
export function live(describe) {
  /** @type {Set<Viewer>} */
  const viewers = new Set();
  const encoder = new TextEncoder();
  /** @type {Set<number>} */
  let sessions = new Set();
  /** @type {import("./wire.js").WireRequest[]} */
  let requests = [];
  let isReset = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function flush() {
    timer = undefined;
    const changed = { sessions: [...sessions].slice(-MOST), requests: requests.slice(-MOST) };
    const isWhole = sessions.size <= MOST && requests.length <= MOST && !isReset;
    sessions = new Set();
    requests = [];
    isReset = false;
    for (const { writer, filters, leave } of viewers) {
      const told = JSON.stringify({ isWhole, ...describe(changed, filters) });
      writer.write(encoder.encode(`data: ${told}\n\n`)).catch(leave);
    }
  }

  function soon() {
    if (viewers.size > 0) timer ??= setTimeout(flush, MOMENT);
  }

  return {
    /** @param {number} number */
    session(number) {
      if (viewers.size === 0) return;
      sessions.add(number);
      soon();
    },

    /** @param {import("./wire.js").WireRequest} request */
    request(request) {
      if (viewers.size === 0) return;
      requests.push(request);
      soon();
    },

    /** What holds for all of it changed: a switch, or everything was forgotten. */
    everything() {
      if (viewers.size === 0) return;
      isReset = true;
      soon();
    },

    /**
     * @param {Filters} filters
     * @returns {Response} a stream that a viewer follows
     */
    open(filters) {
      const { readable, writable } = new TransformStream();
      const writer = writable.getWriter();
      /** @param {string} text */
      const write = (text) => writer.write(encoder.encode(text)).catch(leave);
      const heartbeat = setInterval(() => write(": \n\n"), HEARTBEAT_MS);
      const viewer = { writer, filters, leave };
      viewers.add(viewer);
      writer.closed.catch(() => {}).finally(leave);
      void write(": begins\n\n");
      return new Response(readable, {
        headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
      });

      function leave() {
        clearInterval(heartbeat);
        viewers.delete(viewer);
      }
    },
  };
}
