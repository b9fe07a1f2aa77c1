// Loads the package while watching for what must not happen at import: timers, random numbers,
// requests, WebAssembly, new globals. Workers forbid most of them outside a request, and a page with
// a strict policy would throw.

const watched = {
  globalThis: [
    ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"],
    ["Response", "Request", "AbortController", "DecompressionStream", "WebSocketPair"],
  ].flat(),
  Math: ["random"],
  crypto: ["getRandomValues", "randomUUID"],
  WebAssembly: ["Module", "Instance", "compile", "instantiate", "compileStreaming"],
};

/**
 * @param {() => any} load imports or requires the package
 * @returns {Promise<{calls: string[], globals: string[], names: string[]}>}
 */
export async function probeImport(load) {
  /** @type {string[]} */
  const calls = [];
  /** @type {(() => void)[]} */
  const undo = [];
  // Node loads its fetch when it is first looked at, and that brings WebAssembly of its own.
  for (const name of watched.globalThis) void (/** @type {any} */ (globalThis)[name]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (const [place, names] of Object.entries(watched)) {
    const object = place === "globalThis" ? globalThis : /** @type {any} */ (globalThis)[place];
    for (const name of names) {
      const own = object[name];
      if (typeof own !== "function") continue;
      const proxy = new Proxy(own, {
        apply(target, self, args) {
          calls.push(name);
          return Reflect.apply(target, self, args);
        },
        construct(target, args) {
          calls.push(`new ${name}`);
          return Reflect.construct(target, args);
        },
      });
      const before = Object.getOwnPropertyDescriptor(object, name);
      Object.defineProperty(object, name, { configurable: true, writable: true, value: proxy });
      undo.push(() => {
        if (before) Object.defineProperty(object, name, before);
        else delete object[name];
      });
    }
  }
  const before = new Set(Object.getOwnPropertyNames(globalThis));
  let api;
  try {
    api = await load();
  } finally {
    for (const step of undo) step();
  }
  const globals = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name));
  return { calls, globals, names: Object.keys(api).sort() };
}
