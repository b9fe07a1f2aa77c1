// Chooses the context while the package runs, for builds that do not know their runtime.

import { alsContext, asyncLocalStorage } from "./als.js";
import { pageContext } from "./page.js";

/** @returns {import("./context.d.ts").Context} */
export function anyContext() {
  const AsyncLocalStorage = asyncLocalStorage();
  return AsyncLocalStorage ? alsContext(AsyncLocalStorage) : pageContext();
}
