// The exports of `honeyhive-edge/relay`, made for one runtime.

import { Consumer } from "./consumer.js";
import { RelayEngine } from "./engine.js";
import { Relay } from "./relay.js";
import { issueTicket } from "./ticket.js";

/**
 * @param {import("./engine.js").RelayPlatform} platform
 */
export function relayFunctions(platform) {
  const engine = new RelayEngine(platform);
  return {
    /** @type {typeof import("../../relay.d.ts").issueTicket} */
    issueTicket: (options) => issueTicket(engine, options),
    /** @type {typeof import("../../relay.d.ts").createRelay} */
    createRelay(options) {
      const relay = new Relay(engine, options);
      return (request) => relay.handle(request);
    },
    /** @type {typeof import("../../relay.d.ts").createConsumer} */
    createConsumer(options) {
      const consumer = new Consumer(engine, options);
      return (batch) => consumer.deliver(batch);
    },
  };
}
