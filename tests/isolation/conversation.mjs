// A Durable Object: all its events share one I/O context, so that what tells requests apart (markers
// that others may not touch) does not tell its events apart.

import * as workers from "cloudflare:workers";
import * as api from "honeyhive-edge";
import { sleep, wanders } from "./requests.mjs";

const { initTracer, enrichSession } = api;

/** @typedef {{ ctx: { storage: Record<string, (...given: any[]) => Promise<unknown>> } }} Base */
const DurableObject = /** @type {new (...given: any[]) => Base} */ (workers.DurableObject);

export class Conversation extends DurableObject {
  /** @type {ReturnType<typeof initTracer> | undefined} made by the first event that asks for it */
  #tracer;

  /** An event with a session of its own. */
  wanders(/** @type {any} */ what) {
    return wanders(api, what);
  }

  /** An event that says something of the session that the object has all its life. */
  async says(/** @type {any} */ { options, marker }) {
    const tracer = await (this.#tracer ??= initTracer(options));
    await sleep(Math.random() * 20);
    void tracer.enrichSession({ metadata: { [marker]: tracer.sessionId } });
    return { sessionId: tracer.sessionId };
  }

  /** Has its alarm ring in a moment. */
  async rings(/** @type {any} */ { marker }) {
    await this.ctx.storage.put("marker", marker);
    await this.ctx.storage.setAlarm(Date.now() + 50);
    return {};
  }

  async alarm() {
    const tracer = await initTracer({ sessionName: "alarm" });
    const marker = await this.ctx.storage.get("marker");
    await sleep(20);
    void enrichSession({ metadata: { [String(marker)]: tracer.sessionId } });
  }
}
