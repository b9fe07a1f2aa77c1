// A value becomes JSON text, once, at the moment of the call: what the caller does to it afterwards
// changes nothing, and nothing is changed in it. Always valid JSON, whatever the value.
//
// Plain data takes the engine's own JSON.stringify. Everything it would throw on, or quietly turn
// into `{}`, takes the careful walk below. It holds no rule about fields: those are the core's.

import { attempt, messageOf } from "./guard.js";

/** Levels of nesting below a field: what the walk says of deeper ones is better than what a backend would. */
const MAX_DEPTH = 100;

/** Values looked at before plain data is taken for something that only grows: shared references can double at each level. */
const MAX_PLAIN = 500_000;

/** Far above what the backend takes in one request (5 MB), so that what is cut off here is refused as too large anyway. */
const MAX_CHARS = 8 * 1024 * 1024;
const MAX_VALUES = 2_000_000;

/** Bytes of a buffer that are worth being written out. */
const MAX_BYTES = 1024;

/** Lists shorter than this are written with their holes; in longer ones it is looked whether they are mostly holes. */
const SPARSE_LENGTH = 10_000;

/** What a list can have at most. */
const MAX_LENGTH = 2 ** 32 - 1;

/** How much of a thrown message is kept. */
const MAX_THREW = 300;

/**
 * @param {unknown} value
 * @returns {string} JSON
 */
export function snapshot(value) {
  let json;
  try {
    left = MAX_PLAIN;
    if (typeof value === "object" && isPlain(value, 0)) json = JSON.stringify(value);
  } catch {
    // A proxy or getter threw: the walk puts that in its place and keeps the rest.
  }
  json ??= new Walk().write(value, "", 0) ?? "null";
  // Engines write a lone surrogate, and nothing else, as an escape that starts like this.
  return json.includes("\\ud") ? wellFormed(json) : json;
}

/** Values that {@link isPlain} may still look at. */
let left = 0;

/**
 * Does JSON.stringify write this as the design's table of values has it? Costs about a tenth of
 * JSON.stringify itself, for which it looks at nothing twice and asks no object for its toJSON: one that
 * can be seen is met as a property, one that can not (as Date's) comes from a prototype of its own.
 * @param {any} value an object, or null
 * @param {number} depth
 * @returns {boolean}
 */
function isPlain(value, depth) {
  if (value === null) return true;
  if (depth > MAX_DEPTH || --left < 0) return false;
  if (Array.isArray(value)) {
    if (value.length > left) return false;
    left -= value.length;
    for (let i = 0; i < value.length; i++) {
      const item = value[i];
      const type = typeof item;
      if (type === "object" ? !isPlain(item, depth + 1) : type === "bigint") return false;
    }
    return true;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    if (prototype === Date.prototype) return true;
    // Object.prototype of another realm is one that has no prototype either.
    if (Object.getPrototypeOf(prototype) !== null) return false;
  }
  for (const key in value) {
    const item = value[key];
    const type = typeof item;
    if (type === "object" ? !isPlain(item, depth + 1) : type === "bigint") return false;
    if (type === "function" && key === "toJSON") return false;
  }
  return true;
}

/**
 * @param {string} json
 * @returns {string}
 */
function wellFormed(json) {
  // Reading escape by escape keeps a written-out backslash ("\\ud800" as text) apart from an escape.
  return json.replace(/\\(ud[89a-f][0-9a-f]{2}|.)/g, (all, escaped) =>
    escaped.length === 5 ? "\ufffd" : all,
  );
}

/** Writes everything that can be written, and says in its place why something could not. */
class Walk {
  /** Each container on the way down, and what its toJSON made of it. @type {unknown[]} */
  #ancestors = [];
  #chars = 0;
  #values = 0;

  /**
   * @param {any} value
   * @param {string} key under which a toJSON is told it stands
   * @param {number} depth
   * @returns {string | undefined} JSON; undefined for what JSON leaves out
   */
  write(value, key, depth) {
    if (this.#spent()) return '"[Too large]"';
    this.#values++;
    let json;
    try {
      json = this.#any(value, key, depth);
    } catch (error) {
      json = threw(error);
    }
    // A container's text is made of its parts', which have been counted.
    if (typeof value !== "object" && json !== undefined) this.#chars += json.length;
    return json;
  }

  #spent() {
    return this.#chars > MAX_CHARS || this.#values > MAX_VALUES;
  }

  /**
   * @param {any} value
   * @param {string} key
   * @param {number} depth
   * @returns {string | undefined}
   */
  #any(value, key, depth) {
    const written = value;
    /** @type {unknown} */
    let toJSON;
    if (typeof value === "bigint" || typeof value === "function" || isObject(value)) {
      if (this.#ancestors.includes(value)) return '"[Circular]"';
      // Before toJSON: Buffer has one that makes a list of any length.
      const bytes = typeof value === "object" ? binary(value) : undefined;
      if (bytes !== undefined) return bytes;
      toJSON = value.toJSON;
      if (typeof toJSON === "function") value = toJSON.call(value, key);
    }
    switch (typeof value) {
      case "string":
      case "boolean":
        return JSON.stringify(value);
      case "number":
        return Number.isFinite(value) ? String(value === 0 ? 0 : value) : "null";
      case "bigint":
        return Number.isSafeInteger(Number(value)) ? String(value) : `"${value}"`;
      case "object":
        break;
      default:
        return undefined;
    }
    if (value === null) return "null";
    if (depth > MAX_DEPTH) return '"[Too deep]"';
    this.#ancestors.push(written, value);
    try {
      return this.#object(value, depth, value === written ? toJSON : undefined);
    } finally {
      this.#ancestors.length -= 2;
    }
  }

  /**
   * @param {any} value
   * @param {number} depth
   * @param {unknown} toJSON already read, and no function
   * @returns {string | undefined}
   */
  #object(value, depth, toJSON) {
    if (Array.isArray(value)) return this.#list(value, depth);
    const tag = attempt(() => Object.prototype.toString.call(value).slice(8, -1), "");
    if (value instanceof Map || tag === "Map") {
      const entries = attempt(() => mapEntries(value), undefined);
      if (entries) return this.#map(entries, depth);
    }
    if (value instanceof Set || tag === "Set") {
      const items = attempt(() => setItems(value), undefined);
      if (items) return this.#list(items, depth);
    }
    if (value instanceof Error || tag === "Error" || tag === "DOMException") {
      return this.#error(value, depth);
    }
    if (tag === "Number" || tag === "String" || tag === "Boolean" || tag === "BigInt") {
      const boxed = attempt(() => unbox(value, tag), undefined);
      if (boxed !== undefined) return this.#any(boxed, "", depth);
    }
    const pairs = [];
    for (const key of Object.keys(value)) {
      const json =
        key === "toJSON" ? this.write(toJSON, key, depth + 1) : this.#property(value, key, depth);
      if (json !== undefined) pairs.push(this.#pair(key, json));
      if (this.#spent()) break;
    }
    return `{${pairs.join(",")}}`;
  }

  /**
   * @param {any} holder
   * @param {string | number} key
   * @param {number} depth of the holder
   * @returns {string | undefined}
   */
  #property(holder, key, depth) {
    let value;
    try {
      value = holder[key];
    } catch (error) {
      return threw(error);
    }
    return this.write(value, String(key), depth + 1);
  }

  /**
   * @param {string} key
   * @param {string} json
   */
  #pair(key, json) {
    const name = JSON.stringify(key);
    this.#chars += name.length + 2;
    return `${name}:${json}`;
  }

  /**
   * @param {unknown[]} list
   * @param {number} depth
   */
  #list(list, depth) {
    // A proxy may say anything of its length.
    const length = Math.min(Math.max(Math.trunc(Number(list.length)) || 0, 0), MAX_LENGTH);
    if (length > SPARSE_LENGTH && isSparse(list, length)) {
      // What is there, by its index, instead of nulls without end.
      const pairs = [];
      for (const key of Object.keys(list)) {
        pairs.push(this.#pair(key, this.#property(list, key, depth) ?? "null"));
        if (this.#spent()) break;
      }
      return `{${pairs.join(",")}}`;
    }
    const items = [];
    for (let i = 0; i < length && !this.#spent(); i++) {
      items.push(this.#property(list, i, depth) ?? "null");
      this.#chars += 1;
    }
    return `[${items.join(",")}]`;
  }

  /**
   * @param {[unknown, unknown][]} entries
   * @param {number} depth
   */
  #map(entries, depth) {
    /** @type {Map<string, string>} */
    const pairs = new Map();
    for (const [key, value] of entries) {
      const name = this.#name(key, depth);
      const json = this.write(value, name, depth + 1);
      if (json !== undefined) pairs.set(name, this.#pair(name, json));
      if (this.#spent()) break;
    }
    return `{${[...pairs.values()].join(",")}}`;
  }

  /**
   * A map's key as an object's: objects by their own JSON, so that two of them stay two.
   * @param {unknown} key
   * @param {number} depth
   */
  #name(key, depth) {
    if (typeof key === "string") return key;
    if (key === null || typeof key !== "object") return String(key);
    const json = this.write(key, "", depth + 1) ?? "null";
    return json.startsWith('"') ? /** @type {string} */ (JSON.parse(json)) : json;
  }

  /**
   * Name, message, stack and cause. Not what libraries hang on their errors besides: that is where requests
   * with their headers and keys are found.
   * @param {Error} error
   * @param {number} depth
   */
  #error(error, depth) {
    const pairs = [];
    for (const key of ["name", "message", "stack", "cause"]) {
      const json = this.#property(error, key, depth);
      if (json !== undefined) pairs.push(this.#pair(key, json));
    }
    return `{${pairs.join(",")}}`;
  }
}

/**
 * Judged by a sample: only where little is there is it cheap to list what is.
 * @param {unknown[]} list
 * @param {number} length
 */
function isSparse(list, length) {
  const samples = 1000;
  let found = 0;
  for (let i = 0; i < samples; i++) if (Math.floor(((i + 0.5) / samples) * length) in list) found++;
  return found < 3 || (found < samples / 2 && (found / samples) * length < MAX_VALUES);
}

/**
 * @param {any} value
 * @returns {string | undefined} undefined for what is no buffer and no view of one
 */
function binary(value) {
  let bytes;
  if (ArrayBuffer.isView(value)) {
    bytes = value.byteLength;
  } else {
    bytes = bufferLength(value);
    if (bytes === undefined) return undefined;
    value = bytes === 0 ? [] : new Uint8Array(value);
  }
  if (bytes > MAX_BYTES) return `"[${bytes} bytes]"`;
  if (value instanceof DataView || !("length" in value)) {
    value = new Uint8Array(value.buffer, value.byteOffset, bytes);
  }
  return JSON.stringify(
    Array.from(value, (item) =>
      typeof item === "bigint" && !Number.isSafeInteger(Number(item)) ? String(item) : Number(item),
    ),
  );
}

/**
 * Asks the built-in getters, which answer for buffers of any realm and throw for anything else.
 * @param {object} value
 * @returns {number | undefined}
 */
function bufferLength(value) {
  const tag = attempt(() => Object.prototype.toString.call(value), "");
  if (tag !== "[object ArrayBuffer]" && tag !== "[object SharedArrayBuffer]") return undefined;
  const type = tag === "[object ArrayBuffer]" ? ArrayBuffer : SharedArrayBuffer;
  const getter = Object.getOwnPropertyDescriptor(type.prototype, "byteLength")?.get;
  return attempt(() => getter?.call(value), undefined);
}

// The built-ins' own methods, not the value's: they work across realms and run none of its code.

/**
 * @param {any} map
 * @returns {[unknown, unknown][]}
 */
function mapEntries(map) {
  /** @type {[unknown, unknown][]} */
  const entries = [];
  Map.prototype.forEach.call(map, (value, key) => entries.push([key, value]));
  return entries;
}

/**
 * @param {any} set
 * @returns {unknown[]}
 */
function setItems(set) {
  /** @type {unknown[]} */
  const items = [];
  Set.prototype.forEach.call(set, (item) => items.push(item));
  return items;
}

/**
 * @param {any} value
 * @param {"Number" | "String" | "Boolean" | "BigInt"} type
 */
function unbox(value, type) {
  return /** @type {any} */ (globalThis[type]).prototype.valueOf.call(value);
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null;
}

/** @param {unknown} error */
function threw(error) {
  return JSON.stringify(`[Threw: ${messageOf(error).slice(0, MAX_THREW)}]`);
}
