// Chromium as Playwright drives it.

import { FLAGS, LIMIT_MS, executables } from "./programs.mjs";

/** @param {string[]} [flags] besides those it always takes */
export async function launchChromium(flags = []) {
  const { chromium } = await import("playwright-core");
  return chromium.launch({
    executablePath: executables.chrome(),
    headless: true,
    timeout: LIMIT_MS,
    args: [...FLAGS, ...flags],
  });
}
