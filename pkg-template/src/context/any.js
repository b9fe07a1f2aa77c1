// Runtimes that are not known before the package runs in them.

import { alsContext, asyncLocalStorage } from "./als.js";
import { pageContext } from "./page.js";

/** @returns {import("./context.d.ts").Context} */
export function anyContext() {
  const AsyncLocalStorage = asyncLocalStorage();
  return AsyncLocalStorage ? alsContext(AsyncLocalStorage) : pageContext();
}
