// How much WebAssembly memory there is: packages show their own to nobody, so whoever instantiates is
// watched. To be imported before the package is.

/** @type {WebAssembly.Memory[]} */
const memories = [];
const { instantiate, Instance } = WebAssembly;

/** @param {WebAssembly.Instance} instance */
function watch({ exports }) {
  memories.push(...Object.values(exports).filter((it) => it instanceof WebAssembly.Memory));
}

Object.assign(WebAssembly, {
  async instantiate(/** @type {any[]} */ ...given) {
    const made = await /** @type {any} */ (instantiate)(...given);
    watch(made.instance ?? made);
    return made;
  },
  Instance: class extends Instance {
    /** @param {ConstructorParameters<typeof Instance>} given */
    constructor(...given) {
      super(...given);
      watch(this);
    }
  },
});

/** In bytes, of all instances. */
export const wasmMemory = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
