// Lives in Node, with something else in place of `Promise`, before the package is loaded or after it.
// Arguments: what, when, the package's file, how many lives. Prints what was seen, as JSON.

import { liveAll } from "./lives.mjs";

const [what, when, file = "", count] = process.argv.slice(2);

async function replace() {
  if (what === "zone.js" || what === "zone.js and a document") await import("zone.js");
  if (what?.startsWith("Bluebird")) {
    // It has no types of its own.
    const { default: Bluebird } = await import(String("bluebird"));
    if (what.endsWith("asyncHooks")) Bluebird.config({ asyncHooks: true });
    globalThis.Promise = Bluebird;
  }
  if (what === "a subclass") {
    /** @type {any} */
    const Engine = Promise;
    class Subclass extends Engine {
      /** @param {any[]} given */
      then(...given) {
        return super.then(...given);
      }
    }
    globalThis.Promise = /** @type {any} */ (Subclass);
  }
}

if (what?.endsWith("document")) /** @type {any} */ (globalThis).document = {};
if (when === "before") await replace();
const api = await import(file);
if (when === "after") await replace();
const world = { api, Promises: Promise, follows: true, losesThen: what === "Bluebird" };
console.log(JSON.stringify(await liveAll(0, Number(count), world)));
