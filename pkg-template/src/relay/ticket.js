// Tickets for pages. As everywhere in the package nothing throws: what cannot be issued is said in the
// log, and comes to an empty ticket, with which a page's tracer sends nothing.

import { messageOf } from "../guard.js";
import { alive } from "./instance.js";
import { ticketJson } from "./options.js";
import { secretsOf, signed } from "./secrets.js";

/** @import { Instance } from "./instance.js" */

/**
 * @param {Instance} instance
 * @param {unknown} options
 * @returns {Promise<string>}
 */
export async function issueTicket(instance, options) {
  try {
    const core = await instance.core();
    const [secret] = secretsOf(instance, core, options);
    if (secret === undefined) return "";
    const { claims, problem } = alive(core.claims(ticketJson(options), Date.now()));
    if (problem === undefined) return core.seal(claims, await signed(secret, claims)) ?? "";
    instance.complain(options, `no ticket was issued: ${problem}`);
  } catch (error) {
    instance.complain(options, `no ticket was issued: ${messageOf(error)}`);
  }
  return "";
}
