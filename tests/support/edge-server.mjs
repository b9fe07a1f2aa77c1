// A server whose requests one edge function answers, all in one runtime. Usage: edge-server.mjs <folder>.

import { runServer } from "edge-runtime";
import { edgeRuntime } from "./edge-runtime.mjs";

const runtime = await edgeRuntime(process.argv[2] ?? ".");
const { url } = await runServer({ runtime, host: "127.0.0.1", port: 0 });
console.log("port", new URL(url).port);
