// Takes a snapshot of a value as JSON text at the moment of the call. Later changes of the value have no effect, and the
// value itself is not changed. The result is valid JSON for every value.
//
// Plain data is written by the engine's own JSON.stringify. Values on which that would throw, or which it would silently
// turn into `{}`, are written by the walk below. The rules about fields are the core's.

import { attempt, beginningOf, messageOf, tagOf } from "./guard.js";
import { parseJson, plainJson } from "./json.js";
import { each } from "./lists.js";
import { disregard, isThenable } from "./thenables.js";

/** How many levels below a field are written. The walk's note about deeper levels is clearer than a backend's error. */
const MAX_DEPTH = 100;

/** How many values are examined before data is written by the walk: shared references can double it at each level. */
const MAX_PLAIN = 500_000;

/** Far above what the backend accepts in one request (5 MB), so that a snapshot that is cut here is refused in any case. */
const MAX_CHARS = 8 * 1024 * 1024;
const MAX_VALUES = 2_000_000;

/** How many bytes of a buffer are written. */
const MAX_BYTES = 1024;

/** Arrays shorter than this are written with their holes. Longer ones are checked for being mostly holes. */
const SPARSE_LENGTH = 10_000;

/** The greatest length of an array. */
const MAX_LENGTH = 2 ** 32 - 1;

/** Strings of at least this length are checked for lone surrogates before writing, because engines escape them slowly. */
const MAX_UNSEEN = 32;

/** How many characters of a thrown message are kept. */
const MAX_THREW = 300;

/** The length of "\\ud800". */
const ESCAPE_LENGTH = 6;

const { stringify } = JSON;

/** The classes of the application's maps and sets; the package has others for its own. */
const { Map: EveryMap, Set: EverySet } = globalThis;
const objects = Object.prototype;
const lists = Array.prototype;

/** The classes of objects that hold a value of the same name. */
const BOXES = { Number, String, Boolean, BigInt };

/** The prototypes that every value of a kind shares. A toJSON there is a library's; Date's own belongs to the language. */
const KINDS = [objects, lists, String.prototype, Number.prototype, Boolean.prototype];

/**
 * @param {unknown} value
 * @param {() => void} [onCut] if given, text beyond the size of any request is left out, and this is called
 * @returns {string} JSON
 */
export function snapshot(value, onCut) {
  charsLeft = onCut ? MAX_CHARS : Infinity;
  let json = plainSnapshot(value, 0);
  if (json === undefined) {
    const walk = new Walk(onCut !== undefined);
    json = walk.write(value, "", 0) ?? "null";
    if (walk.isSpent()) onCut?.();
  }
  return wellFormed(json);
}

/**
 * Writes values as a JSON list: plain data at once, because an engine takes long to begin.
 * @param {unknown[]} values
 * @returns {string} JSON
 */
export function snapshotAll(values) {
  charsLeft = Infinity;
  const json = plainSnapshot(values, -1);
  if (json !== undefined) return wellFormed(json);
  // A value that is not plain does not cost the others theirs.
  let items = "";
  each(values, (value) => (items = after(items, snapshot(value))));
  return `[${items}]`;
}

/**
 * @param {unknown} value
 * @param {number} depth
 * @returns {string | undefined} undefined if the value has to be written by the walk
 */
function plainSnapshot(value, depth) {
  try {
    left = MAX_PLAIN;
    const isWritten = typeof value === "object" && isPlain(value, depth);
    if (isWritten && !isEveryonesToJSON()) return stringify(value);
  } catch {
    // A proxy or getter threw. The walk writes the error in its place and keeps the rest.
  }
  return undefined;
}

/**
 * Whether a library has given all objects or all arrays a toJSON, which JSON.stringify would call although it is not the
 * value's own.
 */
function isEveryonesToJSON() {
  return "toJSON" in objects || "toJSON" in lists;
}

/** Characters of texts that {@link isPlain} may still see: what is too large is known before it is copied. */
let charsLeft = 0;

/** Values that {@link isPlain} may still look at. */
let left = 0;

/**
 * Whether JSON.stringify writes this value as the walk would. To take about a tenth of JSON.stringify's own time, it looks
 * at each property once and reads no toJSON: an enumerable one is found as a property, and any other one (as Date's)
 * belongs to a prototype that is not Object's.
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
      if (type === "object" ? !isPlain(item, depth + 1) : !isPlainLeaf(item, type)) return false;
    }
    return true;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    if (prototype === Date.prototype) return true;
    // The Object.prototype of another realm has no prototype either.
    if (Object.getPrototypeOf(prototype) !== null) return false;
  }
  for (const key in value) {
    const item = value[key];
    const type = typeof item;
    if (type === "object" ? !isPlain(item, depth + 1) : !isPlainLeaf(item, type)) return false;
    if (type === "function" && key === "toJSON") return false;
  }
  return true;
}

/**
 * @param {any} value is not an object
 * @param {string} type the result of `typeof`
 */
function isPlainLeaf(value, type) {
  if (type !== "string") return type !== "bigint";
  if ((charsLeft -= value.length) < 0) return false;
  if (value.length <= MAX_UNSEEN) return true;
  return typeof value.isWellFormed !== "function" || value.isWellFormed();
}

/**
 * Replaces lone surrogates.
 * @param {string} json
 * @returns {string}
 */
function wellFormed(json) {
  let text = "";
  let from = 0;
  // Engines write a lone surrogate, and nothing else, as an escape that starts like this.
  for (let at = json.indexOf("\\ud"); at >= 0; at = json.indexOf("\\ud", at + 1)) {
    let start = at;
    while (start > from && json[start - 1] === "\\") start--;
    // After an odd number of backslashes, this one is itself escaped ("\\ud800" as text) and starts no escape.
    if ((at - start) % 2 === 1) continue;
    text += `${json.slice(from, at)}\ufffd`;
    from = at + ESCAPE_LENGTH;
  }
  return from === 0 ? json : text + json.slice(from);
}

/** Writes everything that can be written, and a note in place of what cannot. */
class Walk {
  /** The containers around the current value, each with the result of its toJSON. @type {unknown[]} */
  #ancestors = [];
  #chars = 0;
  #values = 0;
  #cuts;

  /** @param {boolean} cuts whether strings that are too large are left out */
  constructor(cuts) {
    this.#cuts = cuts;
  }

  /**
   * @param {any} value
   * @param {string} key is passed to toJSON
   * @param {number} depth
   * @returns {string | undefined} JSON; undefined for values that JSON leaves out
   */
  write(value, key, depth) {
    if (this.isSpent()) return '"[Too large]"';
    this.#values++;
    let json;
    try {
      json = this.#any(value, key, depth);
    } catch (error) {
      json = threw(error);
    }
    // The parts of a container have been counted already.
    if (typeof value !== "object" && json !== undefined) this.#chars += json.length;
    return json;
  }

  isSpent() {
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
      if (this.#isInside(value)) return '"[Circular]"';
      // Checked before toJSON, because that of a Buffer makes a list of any length.
      const bytes = typeof value === "object" ? binary(value) : undefined;
      if (bytes !== undefined) return bytes;
      toJSON = value.toJSON;
      if (typeof toJSON === "function" && isOwnToJSON(toJSON)) {
        value = Reflect.apply(toJSON, value, [key]);
        // Nothing awaits the promise of an async toJSON, so its rejection must not go unhandled.
        if (isThenable(value)) disregard(value);
      }
    }
    switch (typeof value) {
      case "string":
        if (this.#cuts && value.length > MAX_CHARS) {
          this.#chars += value.length;
          return '"[Too large]"';
        }
        return stringify(typeof value.toWellFormed === "function" ? value.toWellFormed() : value);
      case "boolean":
        return stringify(value);
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
    const depthOf = this.#ancestors.length;
    this.#ancestors[depthOf] = written;
    this.#ancestors[depthOf + 1] = value;
    try {
      return this.#object(value, depth, value === written ? toJSON : undefined);
    } finally {
      this.#ancestors.length = depthOf;
    }
  }

  /**
   * @param {any} value
   * @param {number} depth
   * @param {unknown} toJSON the property's value, which is not a function
   * @returns {string | undefined}
   */
  #object(value, depth, toJSON) {
    if (Array.isArray(value)) return this.#list(value, depth);
    const tag = attempt(() => tagOf(value).slice(8, -1), "");
    if (tag === "Map" || isOf(value, EveryMap)) {
      const entries = attempt(() => mapEntries(value));
      if (entries) return this.#map(entries, depth);
    }
    if (tag === "Set" || isOf(value, EverySet)) {
      const items = attempt(() => setItems(value));
      if (items) return this.#list(items, depth);
    }
    if (tag === "Headers" || tag === "URLSearchParams" || tag === "FormData") {
      const entries = attempt(() => namedEntries(value));
      if (entries) return this.#map(entries, depth);
    }
    if (tag === "RegExp") {
      const text = attempt(() => Reflect.apply(RegExp.prototype.toString, value, []));
      if (text !== undefined) return stringify(text);
    }
    if (tag === "Blob" || tag === "File") {
      const size = attempt(() => value.size);
      if (typeof size === "number") return `"[${size} bytes]"`;
    }
    if (tag === "Response" || tag === "Request") return this.#exchange(value, depth);
    if (tag === "Error" || tag === "DOMException" || isOf(value, Error)) {
      return this.#error(value, depth);
    }
    if (tag === "Number" || tag === "String" || tag === "Boolean" || tag === "BigInt") {
      const boxed = attempt(() => unbox(value, tag));
      if (boxed !== undefined) return this.#any(boxed, "", depth);
    }
    let pairs = "";
    const keys = Object.keys(value);
    for (let i = 0; i < keys.length; i++) {
      const key = /** @type {string} */ (keys[i]);
      const json =
        key === "toJSON" ? this.write(toJSON, key, depth + 1) : this.#property(value, key, depth);
      if (json !== undefined) pairs = after(pairs, this.#pair(key, json));
      if (this.isSpent()) break;
    }
    return `{${pairs}}`;
  }

  /** @param {unknown} value @returns {boolean} whether it contains the value that is being written */
  #isInside(value) {
    for (let i = 0; i < this.#ancestors.length; i++) if (this.#ancestors[i] === value) return true;
    return false;
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
    const name = stringify(key);
    this.#chars += name.length + 2;
    return `${name}:${json}`;
  }

  /**
   * @param {unknown[]} list
   * @param {number} depth
   */
  #list(list, depth) {
    // The length of a proxy may be anything.
    const length = Math.min(Math.max(Math.trunc(Number(list.length)) || 0, 0), MAX_LENGTH);
    if (length > SPARSE_LENGTH && isSparse(list, length)) {
      // The existing items by their indices, instead of millions of nulls.
      let pairs = "";
      const keys = Object.keys(list);
      for (let i = 0; i < keys.length; i++) {
        const key = /** @type {string} */ (keys[i]);
        pairs = after(pairs, this.#pair(key, this.#property(list, key, depth) ?? "null"));
        if (this.isSpent()) break;
      }
      return `{${pairs}}`;
    }
    let items = "";
    for (let i = 0; i < length && !this.isSpent(); i++) {
      items += `${i > 0 ? "," : ""}${this.#property(list, i, depth) ?? "null"}`;
      this.#chars += 1;
    }
    return `[${items}]`;
  }

  /**
   * @param {Entry[]} entries
   * @param {number} depth
   */
  #map(entries, depth) {
    /** The values of each name. @type {Map<string, { json: string, count: number }>} */
    const values = new Map();
    for (let i = 0; i < entries.length; i++) {
      const { key, value } = /** @type {Entry} */ (entries[i]);
      const name = this.#name(key, depth);
      const json = this.write(value, name, depth + 1);
      const known = values.get(name);
      if (json !== undefined) {
        values.set(name, { json: after(known?.json ?? "", json), count: (known?.count ?? 0) + 1 });
      }
      if (this.isSpent()) break;
    }
    let pairs = "";
    values.forEach(({ json, count }, name) => {
      pairs = after(pairs, this.#pair(name, count === 1 ? json : `[${json}]`));
    });
    return `{${pairs}}`;
  }

  /**
   * A map's key as the name of a property. An object becomes its JSON, so that different objects keep different names.
   * @param {unknown} key
   * @param {number} depth
   */
  #name(key, depth) {
    if (typeof key === "string") return key;
    if (key === null || typeof key !== "object") return String(key);
    const json = this.write(key, "", depth + 1) ?? "null";
    return json.startsWith('"') ? /** @type {string} */ (parseJson(json)) : json;
  }

  /**
   * The name, message, stack, cause, and errors of an error. Other properties are left out, because libraries attach
   * requests with their headers and keys.
   * @param {Error} error
   * @param {number} depth
   */
  #error(error, depth) {
    const errors = attempt(() => /** @type {any} */ (error).errors);
    const keys = ["name", "message", "stack", "cause"];
    return this.#some(error, Array.isArray(errors) ? [...keys, "errors"] : keys, depth);
  }

  /**
   * The method, address and status of a request or response. Its headers contain keys and cookies, and its body can only
   * be read once, by the application.
   * @param {Request | Response} exchange
   * @param {number} depth
   */
  #exchange(exchange, depth) {
    return this.#some(exchange, ["method", "url", "status", "statusText"], depth);
  }

  /**
   * Named properties of an object, whether or not they are its own.
   * @param {object} holder
   * @param {string[]} keys
   * @param {number} depth
   */
  #some(holder, keys, depth) {
    let pairs = "";
    for (let i = 0; i < keys.length; i++) {
      const key = /** @type {string} */ (keys[i]);
      const json = this.#property(holder, key, depth);
      if (json !== undefined) pairs = after(pairs, this.#pair(key, json));
    }
    return `{${pairs}}`;
  }
}

/** @param {string} parts @param {string} part @returns {string} the parts with one more, after a comma */
function after(parts, part) {
  return parts === "" ? part : `${parts},${part}`;
}

/**
 * Whether most of a long list is holes, judged by a sample. Only then is it cheap to list the items that exist.
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
 * @returns {string | undefined} undefined if the value is neither a buffer nor a view of one
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
  // All other views are lists of numbers.
  if (tagOf(value) === "[object DataView]") {
    value = new Uint8Array(value.buffer, value.byteOffset, bytes);
  }
  /** @type {unknown[]} */
  const items = [];
  for (let i = 0; i < value.length; i++) {
    const item = value[i];
    const isLong = typeof item === "bigint" && !Number.isSafeInteger(Number(item));
    items[i] = isLong ? String(item) : Number(item);
  }
  return plainJson(items);
}

/**
 * Asks the built-in getters, which answer for buffers of any realm and throw for anything else.
 * @param {object} value
 * @returns {number | undefined}
 */
function bufferLength(value) {
  const tag = attempt(() => tagOf(value), "");
  if (tag !== "[object ArrayBuffer]" && tag !== "[object SharedArrayBuffer]") return undefined;
  const type = tag === "[object ArrayBuffer]" ? ArrayBuffer : SharedArrayBuffer;
  const getter = Object.getOwnPropertyDescriptor(type.prototype, "byteLength")?.get;
  return attempt(() => getter && Reflect.apply(getter, value, []));
}

// The built-ins' own methods, not the value's: they work across realms and run none of its code.

/** @typedef {{ key: unknown, value: unknown }} Entry */

/**
 * @param {any} map
 * @returns {Entry[]}
 */
function mapEntries(map) {
  /** @type {Entry[]} */
  const entries = [];
  const add = (/** @type {unknown} */ value, /** @type {unknown} */ key) => {
    entries[entries.length] = { key, value };
  };
  Reflect.apply(Map.prototype.forEach, map, [add]);
  return entries;
}

/**
 * The entries of headers and similar objects, which may belong to a library or to the runtime.
 * @param {any} given
 * @returns {Entry[]}
 */
function namedEntries(given) {
  /** @type {Entry[]} */
  const entries = [];
  given.forEach((/** @type {unknown} */ value, /** @type {unknown} */ key) => {
    entries[entries.length] = { key, value };
  });
  return entries;
}

/**
 * @param {any} set
 * @returns {unknown[]}
 */
function setItems(set) {
  /** @type {unknown[]} */
  const items = [];
  const add = (/** @type {unknown} */ item) => void (items[items.length] = item);
  Reflect.apply(Set.prototype.forEach, set, [add]);
  return items;
}

/**
 * @param {any} value
 * @param {"Number" | "String" | "Boolean" | "BigInt"} type
 */
function unbox(value, type) {
  return Reflect.apply(BOXES[type].prototype.valueOf, value, []);
}

/**
 * @param {unknown} value
 * @param {Function} constructor
 */
function isOf(value, constructor) {
  return attempt(() => value instanceof constructor, false);
}

/** @param {unknown} toJSON the property `toJSON` of a value */
function isOwnToJSON(toJSON) {
  for (let i = 0; i < KINDS.length; i++) {
    if (toJSON === /** @type {any} */ (KINDS[i]).toJSON) return false;
  }
  return true;
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null;
}

/** @param {unknown} error */
function threw(error) {
  return stringify(`[Threw: ${beginningOf(messageOf(error), MAX_THREW)}]`);
}
