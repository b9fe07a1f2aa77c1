// Watches how clients behave on the wire: requests in flight, requests of one session that overlap,
// timestamps that go backwards, and the same write stored twice. It only counts: HoneyHive orders a
// client's requests by timestamp, this backend applies them as they come and tells. Writes alone
// (POST, PUT) are watched.

/** @typedef {import("./request-log.js").Exchange} Exchange */

/** Clients whose latest timestamp is remembered: a run of a million sessions is not to fill the memory. */
const CLIENTS = 100_000;

/** A finding is kept in full this often; after that it is only counted. */
const SAMPLES = 100;

const DECIMAL = /^[1-9][0-9]*$/;

export function traffic() {
  let inFlight = 0;
  let maxInFlight = 0;
  let maxPerSession = 0;
  /** @type {string | null} */
  let busiest = null;
  let missing = 0;
  let malformed = 0;
  /** @type {Map<string, {exchange: Exchange, during: number[]}[]>} by session, what is in flight */
  const open = new Map();
  /** @type {WeakMap<Exchange, string>} what they were filed under: storing may name a session anew */
  const scopes = new WeakMap();
  /** @type {Map<string, string>} by session and client, the latest timestamp */
  const latest = new Map();
  /** @type {Map<string, Exchange[]>} by session and timestamp, what was stored */
  const writes = new Map();
  const overlaps = findings();
  const outOfOrder = findings();
  const duplicates = findings();

  return {
    /** The headers of a write are there. */
    opened() {
      inFlight += 1;
      maxInFlight = Math.max(maxInFlight, inFlight);
    },

    /**
     * Its body is there as well, and names a session.
     * @param {Exchange} exchange
     */
    identified(exchange) {
      const scope = scopeOf(exchange);
      scopes.set(exchange, scope);
      const others = open.get(scope) ?? [];
      for (const other of others) other.during.push(exchange.seq);
      others.push({ exchange, during: [] });
      open.set(scope, others);
      if (others.length > maxPerSession) {
        maxPerSession = others.length;
        busiest = exchange.session;
      }

      const { timestamp } = exchange;
      if (timestamp === null) missing += 1;
      else if (!DECIMAL.test(timestamp)) malformed += 1;
      else {
        // Clocks of two clients may differ: each is held to its own order only.
        const client = `${scope}\n${exchange.headers["hh-client-language"]}\n${exchange.headers["user-agent"]}`;
        const before = latest.get(client);
        if (before !== undefined && isLess(timestamp, before)) {
          outOfOrder.add({ session: exchange.session, seq: exchange.seq, timestamp, before });
        } else {
          latest.delete(client); // so that it goes to the end of the map's order
          latest.set(client, timestamp);
          if (latest.size > CLIENTS)
            latest.delete(/** @type {string} */ (latest.keys().next().value));
        }
      }
    },

    /** @param {Exchange} exchange one that changed what is stored */
    stored(exchange) {
      if (exchange.timestamp === null) return;
      const stamp = `${scopeOf(exchange)}\n${exchange.timestamp}`;
      const same = writes.get(stamp);
      const first = same?.find((one) => one.raw === exchange.raw && one.path === exchange.path);
      if (first) {
        duplicates.add({
          session: exchange.session,
          timestamp: exchange.timestamp,
          first: first.seq,
          again: exchange.seq,
        });
      } else if (same) same.push(exchange);
      else writes.set(stamp, [exchange]);
    },

    /** @param {Exchange} exchange a write that is over, however it ended */
    ended(exchange) {
      inFlight -= 1;
      const scope = scopes.get(exchange) ?? "";
      const others = open.get(scope);
      const ended = others?.find((one) => one.exchange === exchange);
      if (!others || !ended) return;
      if (others.length === 1) open.delete(scope);
      else others.splice(others.indexOf(ended), 1);
      const { during } = ended;
      // Whoever gave a request up may send the next before its leaving was noticed here.
      if (during.length > 0 && exchange.fate !== "client-left") {
        overlaps.add({ session: exchange.session, seq: exchange.seq, during });
      }
    },

    /** @param {Exchange} exchange one the log no longer keeps */
    forget(exchange) {
      if (exchange.session === null || exchange.timestamp === null) return;
      const stamp = `${scopeOf(exchange)}\n${exchange.timestamp}`;
      const left = writes.get(stamp)?.filter((one) => one !== exchange);
      if (left?.length) writes.set(stamp, left);
      else writes.delete(stamp);
    },

    stats: () => ({
      inFlight: { now: inFlight, max: maxInFlight, maxPerSession, session: busiest },
      overlaps: overlaps.stats(),
      timestamps: { missing, malformed, outOfOrder: outOfOrder.stats() },
      duplicates: duplicates.stats(),
    }),
  };
}

/**
 * The same id under two keys is two sessions.
 * @param {Exchange} exchange
 */
const scopeOf = (exchange) => `${exchange.key}\n${exchange.session}`;

/**
 * @param {string} a decimal digits without leading zeros, of any length
 * @param {string} b
 */
const isLess = (a, b) => (a.length === b.length ? a < b : a.length < b.length);

function findings() {
  let count = 0;
  /** @type {object[]} */
  const samples = [];
  return {
    /** @param {object} finding */
    add(finding) {
      count += 1;
      if (samples.length < SAMPLES) samples.push(finding);
    },
    stats: () => ({ count, samples }),
  };
}
