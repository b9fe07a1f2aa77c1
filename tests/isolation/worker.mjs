// The Worker under test: each path is one way in which an application uses the package. Nothing in
// here is awaited but what the name says.

import * as api from "honeyhive-edge";
import { sleep, wanders } from "./requests.mjs";

export { Conversation } from "./conversation.mjs";

const { initTracer, enrichSession, activeTracer } = api;

// At the Worker's top level, where there is no request: its key and server are in the environment.
const ofModule = initTracer({ sessionName: "of the module" });

/**
 * A tracer of the request's own, which may name a session that others name too, or the module's.
 * @param {{ sharing: string, options: any }} what
 */
const tracerOf = ({ sharing, options }) => (sharing === "module" ? ofModule : initTracer(options));

/** @type {Record<string, (what: any, context: { env: any, waitUntil: (promise: Promise<any>) => void }) => Promise<any>>} */
const ways = {
  async "fire-and-forget"({ marker, ...what }) {
    const tracer = await tracerOf(what);
    void enrichSession({ metadata: { [marker]: true } });
    return { sessionId: tracer.sessionId };
  },

  async sequential({ marker, ...what }, { waitUntil }) {
    const tracer = await tracerOf(what);
    waitUntil(tracer.enrichSession({ metadata: { [marker]: true } }));
    return { sessionId: tracer.sessionId };
  },

  async concurrent({ marker, ...what }) {
    const tracer = await tracerOf(what);
    const delivery = await enrichSession({ metadata: { [marker]: true } });
    return { sessionId: tracer.sessionId, delivery };
  },

  wanders: (what) => wanders(api, what),

  /** After the answer has begun, between its chunks. */
  async streams({ options, marker }) {
    const tracer = await initTracer(options);
    const chunks = ["a", "b", "c"];
    const body = new ReadableStream({
      async pull(controller) {
        const chunk = chunks.shift();
        if (chunk === undefined) return controller.close();
        await sleep(20);
        void enrichSession({ metadata: { [`${marker} ${chunk}`]: tracer.sessionId } });
        controller.enqueue(new TextEncoder().encode(chunk));
      },
    });
    return new Response(body);
  },

  /** As above, by code that goes on beside the answer. */
  async pipes({ options, marker }) {
    const tracer = await initTracer(options);
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const write = async () => {
      for (const chunk of ["a", "b", "c"]) {
        await sleep(20);
        void enrichSession({ metadata: { [`${marker} ${chunk}`]: tracer.sessionId } });
        await writer.write(new TextEncoder().encode(chunk));
      }
      await writer.close();
    };
    void write();
    return new Response(readable);
  },

  /** Takes so long with its answer that the client has left. */
  async lingers({ options, marker }) {
    const tracer = await initTracer(options);
    void enrichSession({ metadata: { [marker]: tracer.sessionId } });
    await sleep(60_000);
  },

  /** Passes a `waitUntil` that does nothing: the runtime tears the request down as it answers. */
  async "is torn down"({ options, marker }) {
    const tracer = await initTracer({ ...options, waitUntil() {} });
    void enrichSession({ metadata: { [marker]: tracer.sessionId } });
    return { sessionId: tracer.sessionId };
  },

  /** In spans of the application's own. */
  async "has spans"({ options, marker }) {
    const { tracing } = /** @type {any} */ (await import("cloudflare:workers"));
    const tracer = await initTracer(options);
    await tracing.enterSpan("outer", async () => {
      await sleep(Math.random() * 20);
      void enrichSession({ metadata: { [`${marker} outer`]: tracer.sessionId } });
      await tracing.enterSpan("inner", async () => {
        await sleep(Math.random() * 20);
        void enrichSession({ metadata: { [`${marker} inner`]: tracer.sessionId } });
      });
    });
    return { sessionId: tracer.sessionId };
  },

  /** Leaves sessions again, also by a throw. */
  async "runs in and out"({ options, marker }) {
    const outer = await initTracer(options);
    const inner = outer.startSession();
    const say = (/** @type {string} */ where, /** @type {string} */ id) =>
      void enrichSession({ metadata: { [`${marker} ${where}`]: id } });
    const failed = await inner
      .run(async () => {
        await sleep(Math.random() * 20);
        say("inner", inner.sessionId);
        throw new Error("on purpose");
      })
      .catch((/** @type {Error} */ error) => error.message);
    await api.withSession(options, async (tracer) => {
      await sleep(Math.random() * 20);
      say("within", tracer.sessionId);
      inner.run(() => say("nested", inner.sessionId));
      await sleep(Math.random() * 20);
      say("within again", tracer.sessionId);
    });
    await sleep(Math.random() * 20);
    say("outer", outer.sessionId);
    return { failed };
  },

  /** Has no session of its own: only the module's can be meant. */
  async "has none"() {
    await sleep(5);
    const delivery = await enrichSession({ metadata: { "has none": true } });
    return { active: activeTracer()?.sessionId, module: (await ofModule).sessionId, delivery };
  },

  /** An event of the object that the marker names. */
  async object({ object, event, ...what }, { env }) {
    return env.Conversation.get(env.Conversation.idFromName(object))[event](what);
  },
};

export default {
  /**
   * @param {Request} request
   * @param {any} env
   * @param {any} ctx
   */
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    const way = ways[decodeURIComponent(pathname.slice(1))];
    const waitUntil = ctx.waitUntil.bind(ctx);
    const answer = await way?.(await request.json(), { env, waitUntil });
    return answer instanceof Response ? answer : Response.json(answer);
  },

  async scheduled() {
    const tracer = await initTracer({ sessionName: "scheduled" });
    await sleep(20);
    void enrichSession({ metadata: { scheduled: tracer.sessionId } });
  },

  /** @param {any} batch */
  async queue(batch) {
    await Promise.all(
      batch.messages.map((/** @type {any} */ { body }) =>
        api.withSession({ sessionName: `message ${body}` }, async (tracer) => {
          await sleep(Math.random() * 20);
          void enrichSession({ metadata: { [`message ${body}`]: tracer.sessionId } });
        }),
      ),
    );
  },
};
