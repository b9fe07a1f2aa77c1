// HMAC-SHA-256 by the runtime's WebCrypto, whose `verify` takes constant time.

import { textClass } from "../globals.js";
import { alive } from "./engine.js";
import { secretsJson } from "./options.js";

/** @import { RelayEngine } from "./engine.js" */
/** @import { RelayCore } from "./core.d.ts" */

const ALGORITHM = { name: "HMAC", hash: "SHA-256" };

/** How many imported keys are kept. A relay has one or two. */
const KEPT_KEYS = 16;

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
const encoded = (text) => new (textClass("TextEncoder"))().encode(text);

/**
 * The imported keys, not promises of them, because a request on Workers may not await what another request began.
 * @type {Map<string, CryptoKey>}
 */
const keys = new Map();

/**
 * The secrets from the options or the environment. The first one signs.
 * @param {RelayEngine} engine
 * @param {RelayCore} core
 * @param {unknown} options
 * @returns {string[]} empty if there is no usable secret, which is then logged
 */
export function secretsOf(engine, core, options) {
  const { secrets, log } = alive(
    core.secrets(secretsJson(options, (name) => engine.variable(name))),
  );
  engine.say(log);
  return secrets;
}

/**
 * @param {string} secret
 * @param {string} claims
 * @returns {Promise<Uint8Array>}
 */
export async function signed(secret, claims) {
  const signature = await crypto.subtle.sign("HMAC", await keyOf(secret), encoded(claims));
  return new Uint8Array(signature);
}

/**
 * @param {string[]} secrets
 * @param {Uint8Array<ArrayBuffer>} signature
 * @param {string} claims
 * @returns {Promise<boolean>} whether one of the secrets made the signature
 */
export async function isSignedBy(secrets, signature, claims) {
  const bytes = encoded(claims);
  for (const secret of secrets) {
    if (await crypto.subtle.verify("HMAC", await keyOf(secret), signature, bytes)) return true;
  }
  return false;
}

/** @param {string} secret */
async function keyOf(secret) {
  const known = keys.get(secret);
  if (known) return known;
  const bytes = encoded(secret);
  const key = await crypto.subtle.importKey("raw", bytes, ALGORITHM, false, ["sign", "verify"]);
  if (keys.size >= KEPT_KEYS) keys.clear();
  keys.set(secret, key);
  return key;
}
