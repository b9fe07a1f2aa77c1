// HMAC-SHA-256 by the runtime's WebCrypto, whose `verify` takes constant time.

import { textClass } from "../globals.js";
import { alive } from "./engine.js";
import { secretsJson } from "./options.js";

/** @import { RelayEngine } from "./engine.js" */
/** @import { RelayCore } from "./core.d.ts" */

const ALGORITHM = { name: "HMAC", hash: "SHA-256" };

/** Imported keys that are kept: a relay has one or two. */
const KEPT_KEYS = 16;

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
const encoded = (text) => new (textClass("TextEncoder"))().encode(text);

/**
 * Keys, not promises of keys: on Workers no request may await what another one began.
 * @type {Map<string, CryptoKey>}
 */
const keys = new Map();

/**
 * The secrets of these options, or of the environment, the one that signs first.
 * @param {RelayEngine} engine
 * @param {RelayCore} core
 * @param {unknown} options
 * @returns {string[]} none where there is none of use, which then was said
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
 * @returns {Promise<boolean>} whether the signature is by one of the secrets
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
