// Programs one after the other, wherever this runs.

import { Life } from "./life.mjs";

/**
 * @param {number} seed
 * @param {boolean} hasContexts
 * @param {import("./realm.mjs").NewFace} newFace
 * @returns {Promise<WeakRef<object>[]>} what has to be let go of
 */
export async function live(seed, hasContexts, newFace) {
  const life = new Life(seed, hasContexts, newFace);
  try {
    await life.live(seed % 50 === 0 ? 150 : 25);
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new Error(`FACE_SEED=${seed}: ${message}`, { cause: error });
  }
  return life.held;
}

/**
 * For where nothing but JSON gets out.
 * @param {{ seeds: number[], hasContexts: boolean }} which
 * @param {import("./realm.mjs").NewFace} newFace
 * @returns {Promise<{ lived: number, failure?: string }>}
 */
export async function liveAll({ seeds, hasContexts }, newFace) {
  let lived = 0;
  try {
    for (const seed of seeds) {
      await live(seed, hasContexts, newFace);
      lived++;
    }
    return { lived };
  } catch (error) {
    const { message, cause } = /** @type {Error & { cause: Error }} */ (error);
    return { lived, failure: `${message}\n${cause.stack}` };
  }
}
