// Issues tickets for pages. Nothing throws, as everywhere in the package: a ticket that cannot be issued is reported in
// the log and is empty, and a page's tracer with an empty ticket sends nothing.

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
