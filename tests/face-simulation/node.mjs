// Programs in Node: the package's CommonJS, which is text, with mistakes planted in it or without.

import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageDir } from "../support/package.mjs";
import { NAMES, facesOf } from "./realm.mjs";

const built = readFileSync(join(packageDir, "index.cjs"), "utf8");

/**
 * @param {(code: string) => string} [change] a mistake that is planted in it
 * @returns {import("./realm.mjs").NewFace}
 */
export function faces(change = (code) => code) {
  return facesOf(new Function(...NAMES, change(built)), {
    globals: { MessageChannel },
    contexts,
    apart: (program) => new AsyncResource("LIFE").runInAsyncScope(program),
  });
}

function contexts() {
  /** @type {AsyncLocalStorage<unknown>[]} */
  const storages = [];
  /** @extends {AsyncLocalStorage<unknown>} */
  class Storage extends AsyncLocalStorage {
    constructor() {
      super();
      storages.push(this);
    }
  }
  const end = () => storages.splice(0).forEach((storage) => storage.disable());
  return { globals: { AsyncLocalStorage: Storage }, end };
}
