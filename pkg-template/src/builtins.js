// The language's own classes and functions, taken when the package is loaded: other scripts may replace them later by
// something that works differently, or not at all. The build puts them in the place of the globals of the same names, in
// all sources and in the glue of WebAssembly (see build-pkg.mjs); nothing imports this file. Only what is used is bundled.
// What not every engine has is not here: guard.js looks for it when it is needed.

const array = Array;
const bigInt = BigInt;
const dataView = DataView;
const error = Error;
const map = /* @__PURE__ */ whole(Map);
const number = Number;
const object = Object;
const proxy = Proxy;
const regExp = RegExp;
const set = /* @__PURE__ */ whole(Set);
const string = String;
const symbol = Symbol;
const uint8Array = Uint8Array;
const uint32Array = Uint32Array;
const weakMap = /* @__PURE__ */ whole(WeakMap);
const ownDecodeURIComponent = decodeURIComponent;
const ownEncodeURIComponent = encodeURIComponent;
const ownParseInt = parseInt;

const isArray = Array.isArray;
const isView = ArrayBuffer.isView;
const asUintN = BigInt.asUintN;
const abs = Math.abs;
const ceil = Math.ceil;
const floor = Math.floor;
const max = Math.max;
const min = Math.min;
const trunc = Math.trunc;
const isFinite = Number.isFinite;
const isSafeInteger = Number.isSafeInteger;
const assign = Object.assign;
const create = Object.create;
const defineProperties = Object.defineProperties;
const defineProperty = Object.defineProperty;
const entries = Object.entries;
const getOwnPropertyDescriptor = Object.getOwnPropertyDescriptor;
const getPrototypeOf = Object.getPrototypeOf;
const hasOwn = Object.hasOwn;
const isExtensible = Object.isExtensible;
const keys = Object.keys;
const reflectApply = Reflect.apply;
const reflectDefineProperty = Reflect.defineProperty;
const reflectDeleteProperty = Reflect.deleteProperty;
const reflectGet = Reflect.get;
const reflectGetOwnPropertyDescriptor = Reflect.getOwnPropertyDescriptor;
const reflectSet = Reflect.set;
const symbolFor = Symbol.for;

/**
 * A class with methods of its own, for those on the prototype are replaced as well.
 * @template {new (...given: any[]) => object} C
 * @param {C} Class
 * @returns {C}
 */
function whole(Class) {
  const Whole = /** @type {any} */ (
    class extends /** @type {any} */ (Class) {
      // oxlint-disable-next-line no-useless-constructor -- without one, engines use the iterator of lists
      constructor(/** @type {unknown} */ given) {
        super(given);
      }
    }
  );
  const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(Class.prototype);
  Object.defineProperties(Whole.prototype, methods);
  return Whole;
}

export {
  array as Array,
  bigInt as BigInt,
  dataView as DataView,
  error as Error,
  map as Map,
  number as Number,
  object as Object,
  proxy as Proxy,
  regExp as RegExp,
  set as Set,
  string as String,
  symbol as Symbol,
  uint8Array as Uint8Array,
  uint32Array as Uint32Array,
  weakMap as WeakMap,
  ownDecodeURIComponent as decodeURIComponent,
  ownEncodeURIComponent as encodeURIComponent,
  ownParseInt as parseInt,
  isArray as "Array.isArray",
  isView as "ArrayBuffer.isView",
  asUintN as "BigInt.asUintN",
  abs as "Math.abs",
  ceil as "Math.ceil",
  floor as "Math.floor",
  max as "Math.max",
  min as "Math.min",
  trunc as "Math.trunc",
  isFinite as "Number.isFinite",
  isSafeInteger as "Number.isSafeInteger",
  assign as "Object.assign",
  create as "Object.create",
  defineProperties as "Object.defineProperties",
  defineProperty as "Object.defineProperty",
  entries as "Object.entries",
  getOwnPropertyDescriptor as "Object.getOwnPropertyDescriptor",
  getPrototypeOf as "Object.getPrototypeOf",
  hasOwn as "Object.hasOwn",
  isExtensible as "Object.isExtensible",
  keys as "Object.keys",
  reflectApply as "Reflect.apply",
  reflectDefineProperty as "Reflect.defineProperty",
  reflectDeleteProperty as "Reflect.deleteProperty",
  reflectGet as "Reflect.get",
  reflectGetOwnPropertyDescriptor as "Reflect.getOwnPropertyDescriptor",
  reflectSet as "Reflect.set",
  symbolFor as "Symbol.for",
};
