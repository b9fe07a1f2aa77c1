// A strict reader of OTLP/HTTP in JSON by OpenTelemetry's own definitions of the protocol (opentelemetry/proto/ of
// open-telemetry/opentelemetry-proto 1.9.0, Apache License 2.0): unlike a receiver, which passes over what it does not
// know, it refuses every field, form and value that the definitions do not have.
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import protobuf from "protobufjs";

const root = new protobuf.Root();
root.resolvePath = (_, path) => fileURLToPath(new URL(path, import.meta.url));
root.loadSync("opentelemetry/proto/collector/trace/v1/trace_service.proto");
root.resolveAll();
const REQUEST = root.lookupType("opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest");

/** Bytes of ids, which are in hexadecimal digits. What may be missing: a root has no parent. */
const IDS = /** @type {Record<string, { bytes: number, isOptional: boolean }>} */ ({
  traceId: { bytes: 16, isOptional: false },
  spanId: { bytes: 8, isOptional: false },
  parentSpanId: { bytes: 8, isOptional: true },
});

/** Members of a message that has nothing to say without them. */
const NEEDED = /** @type {Record<string, string[]>} */ ({
  Span: ["traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"],
  Link: ["traceId", "spanId"],
  Event: ["timeUnixNano"],
  KeyValue: ["key", "value"],
});

/** Most and least of the whole numbers. @type {Record<string, [bigint, bigint]>} */
const RANGES = {
  uint32: [0n, 2n ** 32n - 1n],
  fixed32: [0n, 2n ** 32n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  fixed64: [0n, 2n ** 64n - 1n],
};

/**
 * Throws where `json` is not exactly an `ExportTraceServiceRequest`.
 * @param {string} json the body of a request
 * @returns {number} how many spans it has
 */
export function readStrictly(json) {
  const request = JSON.parse(json);
  let spans = 0;
  const plain = message(REQUEST, request, "request", (type) => {
    spans += type.name === "Span" ? 1 : 0;
  });
  // And once more by the library's own reading: what it writes in binary is read as the same.
  const options = { longs: String, bytes: String };
  const written = REQUEST.fromObject(plain);
  const read = REQUEST.decode(REQUEST.encode(written).finish());
  if (!isDeepStrictEqual(REQUEST.toObject(read, options), REQUEST.toObject(written, options))) {
    throw new Error("it is another request in binary");
  }
  return spans;
}

/**
 * @param {protobuf.Type} type
 * @param {unknown} json
 * @param {string} path
 * @param {(type: protobuf.Type) => void} see
 * @returns {Record<string, unknown>} as protobufjs has it
 */
function message(type, json, path, see) {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new Error(`${path} is no object`);
  }
  see(type);
  const given = /** @type {Record<string, unknown>} */ (json);
  for (const name of NEEDED[type.name] ?? []) {
    if (!Object.hasOwn(given, name)) throw new Error(`${path} has no ${name}`);
  }
  for (const [name, { oneof }] of Object.entries(type.oneofs ?? {})) {
    const chosen = oneof.filter((each) => Object.hasOwn(given, each));
    if (chosen.length > 1) throw new Error(`${path} has more than one ${name}: ${chosen}`);
  }
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const field = Object.hasOwn(type.fields, name) ? type.fields[name] : undefined;
      if (!field) throw new Error(`${path} has an unknown field ${name}`);
      const at = `${path}.${name}`;
      if (!field.repeated) return [name, single(field, value, at, see)];
      if (!Array.isArray(value)) throw new Error(`${at} is no list`);
      return [name, value.map((each, place) => single(field, each, `${at}[${place}]`, see))];
    }),
  );
}

/**
 * @param {protobuf.Field} field
 * @param {unknown} value
 * @param {string} path
 * @param {(type: protobuf.Type) => void} see
 * @returns {unknown}
 */
function single(field, value, path, see) {
  const wrong = (/** @type {string} */ what) =>
    new Error(`${path} is ${what}: ${JSON.stringify(value)}`);
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Type) return message(resolvedType, value, path, see);
  if (resolvedType instanceof protobuf.Enum) {
    // By number: OTLP allows no names.
    if (Object.values(resolvedType.values).includes(/** @type {number} */ (value))) return value;
    throw wrong(`no number of ${resolvedType.name}`);
  }
  const id = IDS[field.name];
  if (field.type === "bytes" && id) {
    if (typeof value !== "string" || !/^([0-9a-f]{2})*$/.test(value)) throw wrong("no hex");
    if (id.isOptional && value === "") return new Uint8Array();
    if (value.length !== 2 * id.bytes || /^0*$/.test(value)) throw wrong("no id of its length");
    return Uint8Array.from(Buffer.from(value, "hex"));
  }
  switch (field.type) {
    case "string":
      if (typeof value !== "string" || !value.isWellFormed()) throw wrong("no text");
      return value;
    case "bool":
      if (typeof value !== "boolean") throw wrong("no boolean");
      return value;
    case "double":
      if (!Number.isFinite(value)) throw wrong("no number");
      return value;
    default:
      return wholeNumber(field.type, value, wrong);
  }
}

/**
 * 64 bits as text, or as a number that is exact; 32 bits as a number.
 * @param {string} type
 * @param {unknown} value
 * @param {(what: string) => Error} wrong
 */
function wholeNumber(type, value, wrong) {
  const range = RANGES[type];
  if (!range) throw wrong(`of a type that no span has (${type})`);
  const isLong = type.endsWith("64");
  const isDigits = isLong && typeof value === "string" && /^(0|-?[1-9][0-9]*)$/.test(value);
  if (!isDigits && !Number.isSafeInteger(value)) throw wrong(`no ${type}`);
  const number = BigInt(/** @type {string | number} */ (value));
  if (number < range[0] || number > range[1]) throw wrong(`beyond ${type}`);
  return isLong ? String(number) : Number(number);
}
