// Cloudflare Workers whose build does not say that it is for them: Nitro names all edge runtimes at once, and some
// tools name none. The entries for other runtimes find out while the Worker starts, when it may still compile.

import { anyContext } from "./context/any.js";
import { workerdContext } from "./context/workerd.js";
import { processVariable } from "./env.js";
import { attempt, read } from "./guard.js";

/**
 * What differs between the runtimes that a build for all of them runs in, but for how the module is opened.
 * @returns {Pick<import("./engine.js").Platform, "variable" | "place"> & { newContext: typeof anyContext }}
 */
export function edgePlatform() {
  if (isWorkers()) return workersPlatform();
  const platform = { variable: processVariable, newContext: anyContext };
  return "EdgeRuntime" in globalThis ? { ...platform, place: "edge" } : platform;
}

/** @returns {ReturnType<typeof edgePlatform>} */
export function workersPlatform() {
  const workers = importWorkers();
  return {
    variable: (name) => read(workers["env"], name) ?? processVariable(name),
    newContext: () => workerdContext(workers),
    place: "edge",
  };
}

/** @returns {boolean} */
export function isWorkers() {
  return attempt(() => globalThis.navigator.userAgent, "") === "Cloudflare-Workers";
}

/**
 * The module "cloudflare:workers", imported under a name that no bundler sees: those for other runtimes refuse it. It is
 * there before the first request is served; until then it is empty.
 * @returns {Record<string, any>}
 */
function importWorkers() {
  /** @type {any} */
  let workers;
  const name = ["cloudflare", "workers"].join(":");
  const importing = import(/* webpackIgnore: true */ /* @vite-ignore */ name);
  importing.then(
    (module) => (workers = module),
    () => {},
  );
  return {
    get env() {
      return workers?.env;
    },
    get tracing() {
      return workers?.tracing;
    },
    get withEnv() {
      return workers?.withEnv;
    },
    get waitUntil() {
      return workers?.waitUntil;
    },
  };
}

/**
 * Compiles at once, and remembers what kept it from that: a Worker may not try again when it serves.
 * @param {() => BufferSource} bytes
 * @returns {() => WebAssembly.Module} throws what compiling threw
 */
export function compileAtStart(bytes) {
  try {
    const module = new WebAssembly.Module(bytes());
    return () => module;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/**
 * A module that a bundler hands over by `import()`.
 * @param {() => Promise<{ default: WebAssembly.Module | Promise<WebAssembly.Module> }>} importing
 * @returns {() => WebAssembly.Module} throws until it is there, and what kept it from that; on Workers it is there
 *   before the first request is served
 */
export function importedModule(importing) {
  /** @type {WebAssembly.Module | undefined} */
  let module;
  /** @type {unknown} */
  let error = new Error("the module is still being imported");
  importing()
    .then(({ default: given }) => given)
    .then(
      (given) => (module = given),
      (reason) => (error = reason),
    );
  return () => {
    if (module) return module;
    throw error;
  };
}

/** @returns {Promise<never>} */
export function forbidden() {
  return Promise.reject(new Error("Vercel's edge compiles no WebAssembly"));
}
