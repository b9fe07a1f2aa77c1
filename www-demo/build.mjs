// What `wrangler deploy` runs first: makes honeyhive-edge resolvable and builds the page.

import { fileURLToPath } from "node:url";
import { bundlePage, linkPackage } from "./bundle.mjs";

await linkPackage();
await bundlePage("page", fileURLToPath(new URL("../build/demo-page", import.meta.url)));
