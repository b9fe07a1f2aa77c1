// Runs inside the runtime under test: a request as most applications have it (a tracer for each, an
// enrichment, nothing awaited and nothing closed), and what all of them have left in memory. To be
// imported before the package, whose memory nobody else gets to see; needs V8's --expose-gc.

/** @type {any[]} what each instance of the package's module exports */
const instances = [];

/** @param {any} made */
const note = (made) => {
  const { exports } = made.instance ?? made;
  if (exports.tracers) instances.push(exports);
  return made;
};

const { Instance, instantiate } = WebAssembly;
// One way for runtimes that await it, one for those that do not.
WebAssembly.Instance = new Proxy(Instance, {
  construct: (target, given) => note(Reflect.construct(target, given)),
});
/** @type {any} */ (WebAssembly).instantiate = async (/** @type {any[]} */ ...given) =>
  note(await /** @type {any} */ (instantiate)(...given));

/** @param {typeof import("honeyhive-edge")} api */
export async function serve({ initTracer, enrichSession }) {
  /** @type {Awaited<ReturnType<typeof initTracer>>} */
  const tracer = await initTracer({
    // Holds its own tracer, as callbacks do.
    onDrop: ({ reason, message }) => console.log("dropped", tracer.sessionId, reason, message),
  });
  void enrichSession({ metadata: { sessionId: tracer.sessionId, text: "x".repeat(200) } });
}

/**
 * After a full collection.
 * @returns {Promise<{wasm: number, tracers: number, heap?: number}>} bytes of the modules' memory, tracers that they hold, and bytes of JavaScript, of which workerd's inspector is to be asked
 */
export async function held() {
  const { gc, process } = /** @type {any} */ (globalThis);
  for (let i = 0; i < 4; i++) {
    gc();
    // What is told of collected objects is told in a task of its own.
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const sum = (/** @type {(exports: any) => number} */ of) =>
    instances.reduce((all, exports) => all + of(exports), 0);
  return {
    wasm: sum((exports) => exports.memory.buffer.byteLength),
    tracers: sum((exports) => exports.tracers()),
    heap: process?.memoryUsage?.().heapUsed,
  };
}
