// Session ids: new ones, and those that stand for a name. Made without wasm, so that `sessionIdFrom` is synchronous.

import { v4, v5 } from "uuid";
import { attempt, read } from "./guard.js";
import { print } from "./log.js";

/**
 * 6ba7b811-9dad-11d1-80b4-00c04fd430c8, RFC 9562, appendix B. As bytes, which uuid reads without methods that other scripts
 * may have replaced.
 */
const NAMESPACE_URL = /* @__PURE__ */ new Uint8Array([
  107, 167, 184, 17, 157, 173, 17, 209, 128, 180, 0, 192, 79, 212, 48, 200,
]);

/** A UUID of any version, also future ones. RFC 9562, section 4. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

// By a broken method of texts, all names would be one session's.
const { charCodeAt, toLowerCase, toWellFormed, trim } = /** @type {any} */ (String.prototype);
const { exec } = RegExp.prototype;

const loaded = read(globalThis, "crypto");

/** The last id that was made of random bytes, and the last one of `randomUUID`. */
const last = ["00000000-0000-4000-8000-000000000000", ""];

/**
 * Makes a random id. Throws if the runtime provides no random numbers, as at a Worker's top level.
 * @returns {string}
 */
export function newSessionId() {
  const { process } = /** @type {any} */ (globalThis);
  const id =
    idOf(() => loaded ?? crypto) ??
    // Jest's page may have none.
    idOf(() => process.getBuiltinModule("node:crypto").webcrypto);
  if (id === undefined) throw new Error("no random numbers");
  return id;
}

/** @param {() => Crypto} source */
function idOf(source) {
  const random = () => source().getRandomValues(new Uint8Array(16));
  return fresh(1, () => source().randomUUID()) ?? fresh(0, () => v4({ random: random() }));
}

/**
 * @param {0 | 1} way the place in `last`
 * @param {() => unknown} make
 * @returns {string | undefined} undefined if it throws or makes no id, or the same one again, which would put all users
 *   into one session: tests replace `randomUUID` by such functions
 */
function fresh(way, make) {
  const id = attempt(make);
  if (typeof id !== "string" || !isUuid(id) || id === last[way]) return undefined;
  return (last[way] = id);
}

/**
 * The session id that a text is or stands for, by the core's rule: a UUID in lower case, or the UUID version 5 of any
 * other name; undefined if the text is blank.
 * @param {string} text
 * @returns {string | undefined}
 */
export function sessionIdOf(text) {
  const name = Reflect.apply(trim, wellFormed(text), []);
  if (!name) return undefined;
  return isUuid(name) ? Reflect.apply(toLowerCase, name, []) : v5(utf8(name), NAMESPACE_URL);
}

/** @param {string} text */
function isUuid(text) {
  return Reflect.apply(exec, UUID, [text]) !== null;
}

/**
 * Encodes a well-formed text, where `unescape`, which uuid uses for that, may be missing and TextEncoder as well: Hermes has
 * neither.
 * @param {string} text
 * @returns {Uint8Array}
 */
function utf8(text) {
  /** @type {number[]} */
  const bytes = [];
  const encoded = encodeURIComponent(text);
  for (let i = 0; i < encoded.length; i++) {
    const isEscape = encoded[i] === "%";
    bytes[bytes.length] = isEscape
      ? parseInt(`${encoded[i + 1]}${encoded[i + 2]}`, 16)
      : Reflect.apply(charCodeAt, encoded, [i]);
    if (isEscape) i += 2;
  }
  const copy = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) copy[i] = Number(bytes[i]);
  return copy;
}

/**
 * An id for an event that does not exist yet; empty if the runtime provides no random numbers.
 * @returns {string}
 */
export function newEventId() {
  return attempt(newSessionId, "");
}

/**
 * The session id of a name. A value that is not a name (nothing, an empty array, an object that prints as
 * `[object Object]`) gets a fresh id: by its text, all users would share one session.
 * @param {unknown} name
 * @returns {string}
 */
export function sessionIdFrom(name) {
  const id = attempt(() => sessionIdOf(nameIn(name)));
  if (id) return id;
  print(
    "error",
    "sessionIdFrom() got no name, so it returned a new id that no other caller has: pass the name of the conversation, as in sessionIdFrom(conversation.id)",
  );
  return attempt(newSessionId, "");
}

/**
 * @param {unknown} value
 * @returns {string} empty if the value is not a name
 */
function nameIn(value) {
  if (typeof value === "string") return value;
  const isOne =
    typeof value === "bigint" ||
    (typeof value === "number" && Number.isFinite(value)) ||
    (typeof value === "object" && value !== null);
  const text = isOne ? attempt(() => String(value), "") : "";
  return text.startsWith("[object ") ? "" : text;
}

/**
 * Replaces lone surrogates, which have no UTF-8, with U+FFFD.
 * @param {string} text
 * @returns {string}
 */
export function wellFormed(text) {
  if (toWellFormed) return Reflect.apply(toWellFormed, text, []);
  // With the u flag, a surrogate pair counts as one character and does not match.
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
