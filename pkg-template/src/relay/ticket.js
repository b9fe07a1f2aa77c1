// Issues tickets for pages. Nothing throws, as everywhere in the package: a ticket that cannot be issued is reported in
// the log and is empty, and a page's tracer with an empty ticket sends nothing.

import { wallNow } from "../globals.js";
import { messageOf } from "../guard.js";
import { alive } from "./engine.js";
import { ticketJson } from "./options.js";
import { secretsOf, signed } from "./secrets.js";

/** @import { RelayEngine } from "./engine.js" */

/**
 * @param {RelayEngine} engine
 * @param {unknown} options
 * @returns {Promise<string>}
 */
export async function issueTicket(engine, options) {
  try {
    const core = await engine.core();
    const [secret] = secretsOf(engine, core, options);
    if (secret === undefined) return "";
    const { claims, problem } = alive(core.claims(ticketJson(options), wallNow()));
    if (problem === undefined) return core.seal(claims, await signed(secret, claims)) ?? "";
    engine.complain(options, `no ticket was issued: ${problem}`);
  } catch (error) {
    engine.complain(options, `no ticket was issued: ${messageOf(error)}`);
  }
  return "";
}
