// How much WebAssembly memory there is: packages show their own to nobody, so whoever instantiates is
// watched. To be imported before the package is.

/** @type {WebAssembly.Memory[]} */
const memories = [];
const { instantiate } = WebAssembly;
/** @type {any} */ (WebAssembly).instantiate = async (/** @type {any[]} */ ...given) => {
  const made = await /** @type {any} */ (instantiate)(...given);
  const exported = Object.values((made.instance ?? made).exports);
  memories.push(...exported.filter((it) => it instanceof WebAssembly.Memory));
  return made;
};

/** In bytes, of all instances. */
export const wasmMemory = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
