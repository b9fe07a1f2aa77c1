// A process ends by itself when all is delivered, and never before what is queued has had its chance:
// real programs in Node, Deno and Bun, with a backend that takes its time, is down or does not answer.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { before, describe, it } from "node:test";
import { stored } from "../isolation/stored.mjs";
import { KEYS, startBackends } from "../support/backends.mjs";
import { DENO_RUN, bun, deno, node } from "../support/binaries.mjs";
import { runToEnd, start, until } from "../support/child.mjs";
import { consumer } from "../support/package.mjs";
import * as programs from "./programs.mjs";

/** Milliseconds that the backend takes to answer: a program that ended sooner had not waited. */
const BACKEND_MS = 300;

/**
 * A program that does nothing but wait that long runs beside each, and none takes so many times as long: who
 * hangs on to the deadline of 30 s does, and a machine that is slow is so for both.
 */
const TIMES_AS_LONG = 20;
const idle = `await new Promise((resolve) => setTimeout(resolve, ${BACKEND_MS}));`;

/** Only so that what never ends is told. */
const LIMIT_MS = 120_000;

/** @type {string} */
let cwd;
/** @type {string[]} */
let documented;
before(async () => {
  const examples = await programs.documented();
  documented = Object.keys(examples);
  const named = Object.entries({ ...programs.ENDING, ...examples });
  const files = named.map(([name, code]) => [`${name.replaceAll(" ", "-")}.mjs`, code]);
  cwd = await consumer("lifetime", {
    ...Object.fromEntries(files),
    "gives-up.mjs": programs.givesUp,
    "idle.mjs": idle,
    "threads.mjs": programs.threads,
    "lambda-runtime.mjs": programs.lambdaRuntime,
    "forgetful.mjs": programs.forgetful,
  });
});

it("each example of docs/lifetime.md is run here", () => {
  assert.deepEqual(documented, ["exit", "uncaught", "sigterm", "thread", "lambda"]);
});

/** @type {[name: string, command: () => string, args: string[]][]} */
const RUNTIMES = [
  ["Node 20", () => node("20"), []],
  ["Node 26", () => node("26"), []],
  ["Deno", deno, [...DENO_RUN, "--allow-all"]],
  ["Bun", bun, ["run", "--no-install"]],
];

for (const [name, command, args] of RUNTIMES) {
  describe(name, { concurrency: 3 }, () => {
    /** @param {import("node:test").TestContext} t */
    const slowBackend = async (t) => {
      const backends = await startBackends();
      t.after(() => backends.close());
      await backends.v1.faults([{ delayMs: BACKEND_MS }]);
      const env = { HH_API_KEY: KEYS.main, HH_API_URL: backends.v1.url };
      return { backend: backends.v1, down: backends.params.servers.down, env };
    };

    /**
     * @param {string | string[]} file or, for the runtime, arguments in front of it
     * @param {Record<string, string>} env
     */
    const run = async (file, env) => {
      const timed = async (/** @type {string | string[]} */ program) => {
        const from = Date.now();
        const options = { cwd, env, timeoutMs: LIMIT_MS };
        const ended = await runToEnd(command(), args.concat(program), options);
        return { ...ended, ms: Date.now() - from };
      };
      const [ended, beside] = await Promise.all([timed(file), timed("idle.mjs")]);
      return { ...ended, besideMs: beside.ms };
    };

    /** @param {Awaited<ReturnType<typeof run>>} ended */
    const endedWell = ({ code, stderr, ms, besideMs }) => {
      assert.deepEqual([code, stderr], [0, ""]);
      assert.ok(ms < TIMES_AS_LONG * besideMs, `it took ${ms} ms to end, an idle one ${besideMs}`);
    };

    for (const [what, keys] of Object.entries(programs.LEAVES)) {
      it(`a program that ${what}`, async (t) => {
        const { backend, env } = await slowBackend(t);
        const ended = await run(`${what.replaceAll(" ", "-")}.mjs`, env);
        endedWell(ended);
        // There already: nobody is left who could still send it.
        await stored(backend, keys, { timeoutMs: 0 });
      });
    }

    for (const [what, faults] of Object.entries({ down: [], silent: [{ hang: true }] })) {
      it(`a program whose backend is ${what}`, async (t) => {
        const { backend, down, env } = await slowBackend(t);
        await backend.faults(faults);
        const url = what === "down" ? down : backend.url;
        const ended = await run("gives-up.mjs", { ...env, HH_API_URL: url });
        endedWell(ended);
        assert.equal(ended.stdout, `retries_exhausted {"metadata":{"lost":true}}\n`);
        // No sooner; later on a machine that is slow.
        assert.ok(ended.ms > 1_400, `it gave up after ${ended.ms} ms, before its deadline`);
      });
    }

    if (name === "Deno") {
      it("a program that has an address", async (t) => {
        const { backend, env } = await slowBackend(t);
        const address = ["--location", "http://localhost/", "falls-off-its-end.mjs"];
        endedWell(await run(address, env));
        await stored(backend, programs.LEAVES["falls off its end"], { timeoutMs: 0 });
      });
    }

    it("threads", async (t) => {
      const { backend, env } = await slowBackend(t);
      endedWell(await run("threads.mjs", env));
      const sessions = await backend.sessions();
      const said = (/** @type {string} */ key) =>
        sessions.filter((/** @type {any} */ { event }) => event.metadata?.[key] !== undefined);
      for (const { event } of [...said("main"), ...said("thread true")]) {
        assert.deepEqual(Object.values(event.metadata), [event.session_id]);
      }
      assert.equal(said("main").length, 1);
      // Of the one that was ended in the middle it is not known how far it came.
      assert.ok([2, 3].includes(said("thread true").length), JSON.stringify(sessions));
      assert.equal(said("thread false").length, 0, "a thread knows nothing of another's session");
    });

    it("documented: process.exit()", async (t) => {
      const { backend, env } = await slowBackend(t);
      endedWell(await run("exit.mjs", env));
      await stored(backend, ["state"], { timeoutMs: 0 });
    });

    it("documented: process.exit() with a backend that is down", async (t) => {
      const { down, env } = await slowBackend(t);
      const { code, ms } = await run("exit.mjs", { ...env, HH_API_URL: down });
      assert.equal(code, 1);
      assert.ok(ms > 4_900, `it took ${ms} ms to end, and was to wait for five seconds`);
    });

    it("documented: an exception that nobody catches", async (t) => {
      const { backend, env } = await slowBackend(t);
      const { code, stderr } = await run("uncaught.mjs", env);
      assert.equal(code, 1);
      assert.match(stderr, /out of paper/);
      const found = await stored(backend, ["error"], { timeoutMs: 0 });
      assert.equal(/** @type {any} */ (found.get("error")).value.message, "out of paper");
    });

    it("documented: SIGTERM", async (t) => {
      const { backend, env } = await slowBackend(t);
      const port = await freePort();
      const program = start(command(), [...args, "sigterm.mjs"], {
        cwd,
        env: { ...env, PORT: port },
      });
      t.after(() => program.stop());
      const ask = async (/** @type {string} */ path) =>
        (await fetch(`http://127.0.0.1:${port}${path}`)).text();
      await until(() => ask("/first").catch(() => ""), { what: "the server to listen" });
      assert.equal(await ask("/last"), "hello");
      program.child.kill("SIGTERM");
      const { code, stderr } = await program.ended;
      assert.deepEqual([code, stderr], [0, ""]);
      const paths = (await backend.sessions()).map(
        (/** @type {any} */ { event }) => event.metadata.path,
      );
      assert.deepEqual(paths.sort(), ["/first", "/last"]);
    });

    it("documented: a thread that is terminated", async (t) => {
      const { backend, env } = await slowBackend(t);
      endedWell(await run("thread.mjs", env));
      await stored(backend, ["state"], { timeoutMs: 0 });
    });

    for (const [what, handler] of [
      ["documented: what AWS Lambda freezes", "./lambda.mjs"],
      ["what was frozen before it was sent", "./forgetful.mjs"],
    ]) {
      it(/** @type {string} */ (what), async (t) => {
        const { backend, env } = await slowBackend(t);
        const program = start(command(), [...args, "lambda-runtime.mjs", String(handler)], {
          cwd,
          env,
          stdio: ["pipe", "pipe", "pipe"],
        });
        t.after(() => {
          program.child.kill("SIGCONT");
          return program.stop();
        });
        const orders = async () =>
          (await backend.sessions()).map((/** @type {any} */ { event }) => event.metadata.order);
        for (let order = 1; order <= 3; order++) {
          program.child.stdin?.write(`${JSON.stringify({ order })}\n`);
          const answered = () => program.output.stdout.split("\n").length === order + 1;
          await until(answered, { what: `the answer to event ${order}` });
          program.child.kill("SIGSTOP");
          if (handler === "./lambda.mjs") assert.equal((await orders()).length, order);
          // Longer than a try may take.
          await new Promise((resolve) => setTimeout(resolve, 700));
          program.child.kill("SIGCONT");
        }
        await until(async () => (await orders()).length === 3, { what: "all to be stored" });
        assert.deepEqual((await orders()).sort(), [1, 2, 3]);
        program.child.stdin?.end();
        const { code, stderr } = await program.ended;
        assert.deepEqual([code, stderr], [0, ""]);
      });
    }
  });
}

/** @returns {Promise<string>} a port of this machine where nobody listens */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}
