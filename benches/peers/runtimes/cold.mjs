// From nothing to the first update on its way, in Node, Bun and Deno: cold.mjs ADAPTER URL. Nothing is
// imported before the clock runs; when the request came, the server knows.

const from = performance.timeOrigin + performance.now();
const [adapter, url] = globalThis.process.argv.slice(2);
const { setup } = await import(`../adapters/${adapter}.mjs`);
const peer = await setup({ url });
peer.update(crypto.randomUUID(), "mcold_000000z", { plan: "pro" });
await peer.flush();
console.log(`\nREPORT ${JSON.stringify({ from })}`);
globalThis.process.exit(0);
