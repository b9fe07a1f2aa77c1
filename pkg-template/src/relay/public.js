// The exports of `honeyhive-edge/relay`, made for one runtime.

import { Consumer } from "./consumer.js";
import { Instance } from "./instance.js";
import { Relay } from "./relay.js";
import { issueTicket } from "./ticket.js";

/**
 * @param {import("./instance.js").Platform} platform
 */
export function relayFunctions(platform) {
  const instance = new Instance(platform);
  return {
    /** @type {typeof import("../../relay.d.ts").issueTicket} */
    issueTicket: (options) => issueTicket(instance, options),
    /** @type {typeof import("../../relay.d.ts").createRelay} */
    createRelay(options) {
      const relay = new Relay(instance, options);
      return (request) => relay.handle(request);
    },
    /** @type {typeof import("../../relay.d.ts").createConsumer} */
    createConsumer(options) {
      const consumer = new Consumer(instance, options);
      return (batch) => consumer.deliver(batch);
    },
  };
}
