// HoneyHive's session-enrichment guide, example by example, in this package's API.
// Portable: no import, no runtime's own API, so that the same file runs in every runtime. It only
// does what an application would do and returns the facts that check.mjs needs; it asserts nothing.
// https://docs.honeyhive.ai, "Session Enrichment"

/**
 * @typedef {object} Model answers a chat; stands where the guide calls an OpenAI client
 * @typedef {object} Scene
 * @property {typeof import("honeyhive-edge")} api
 * @property {string} backendUrl
 * @property {string} apiKey
 * @property {string} otherBackendUrl where the second tracer of "two tracers" writes
 * @property {string} otherApiKey
 * @property {(messages: {role: string, content: string}[], options: {model: string, temperature?: number}) =>
 *   Promise<{text: string, usage: {prompt_tokens: number, completion_tokens: number, total_tokens: number}}>} model
 */

/** @param {Partial<Scene> & Pick<Scene, "api" | "backendUrl">} given */
export async function run(given) {
  /** @type {Scene} */
  const scene = {
    apiKey: "hh_guide_key",
    otherBackendUrl: given.backendUrl,
    otherApiKey: "hh_guide_other_key",
    model: cannedModel,
    ...given,
  };
  /** @type {Record<string, any>} */
  const facts = {};
  for (const [name, example] of Object.entries(examples)) facts[name] = await example(scene);
  return facts;
}

/** @param {Scene} scene */
const server = ({ apiKey, backendUrl }) => ({ apiKey, serverUrl: backendUrl });

/** @type {Record<string, (scene: Scene) => Promise<any>>} */
export const examples = {
  async activeSession(scene) {
    const { initTracer, enrichSession } = scene.api;
    const tracer = await initTracer({
      ...server(scene),
      project: "my-app",
      sessionName: "user-123-chat",
    });

    const delivery = await enrichSession({
      metadata: {
        user_id: "user_123",
        subscription_tier: "premium",
        feature: "chat_assistant",
      },
    });

    await scene.model([{ role: "user", content: "Hello!" }], { model: "gpt-3.5-turbo" });
    await tracer.close();
    return { sessionId: tracer.sessionId, delivery };
  },

  async specificSession(scene) {
    const { initTracer, enrichSession, sessionIdFrom } = scene.api;
    // The session of an earlier request, known by a name of the application's own.
    const sessionId = sessionIdFrom(`sess_abc123xyz of ${scene.backendUrl}`);
    const earlier = await initTracer({ ...server(scene), sessionName: "experiment", sessionId });
    await earlier.enrichSession({ metadata: { experiment: "variant_a", seed: 7 } });
    await earlier.close();

    const active = await initTracer({ ...server(scene), sessionName: "somebody-else" });
    const delivery = await enrichSession({
      sessionId,
      metadata: { experiment: "variant_b", completed: true },
      metrics: { total_tokens: 1500, total_cost: 0.045, duration_seconds: 12.5 },
    });
    await enrichSession({ metadata: { mine: true } });
    await active.close();
    return {
      name: `sess_abc123xyz of ${scene.backendUrl}`,
      sessionId,
      active: active.sessionId,
      delivery,
    };
  },

  async legacyPositionalId(scene) {
    const { initTracer, enrichSession } = scene.api;
    // A name that is no UUID stands for one, and both reach the session.
    const tracer = await initTracer({
      ...server(scene),
      sessionName: "positional",
      sessionId: "sess_abc123",
    });
    const named = await enrichSession("sess_abc123", { metadata: { user_id: "user_456" } });
    const byId = await enrichSession(tracer.sessionId, { metadata: { again: true } });
    await tracer.close();
    return { sessionId: tracer.sessionId, named, byId };
  },

  async userProperties(scene) {
    const { initTracer, enrichSession } = scene.api;
    const tracer = await initTracer({ ...server(scene), sessionName: "properties" });
    const delivery = await enrichSession({
      sessionId: tracer.sessionId,
      userProperties: { tier: "premium", region: "us-east" },
    });
    await tracer.close();
    return { sessionId: tracer.sessionId, delivery };
  },

  async modernForm(scene) {
    const { initTracer, enrichSession } = scene.api;
    const tracer = await initTracer({ ...server(scene), sessionName: "modern" });
    const delivery = await enrichSession({
      sessionId: tracer.sessionId,
      metadata: { user_id: "user_456", tier: "premium", region: "us-east" },
      metrics: { total_cost: 0.045 },
    });
    await tracer.close();
    return { sessionId: tracer.sessionId, delivery };
  },

  async userWorkflow(scene) {
    const { initTracer, enrichSession } = scene.api;
    const tracer = await initTracer({
      ...server(scene),
      project: "customer-support",
      sessionName: "password-reset-user_42",
    });
    const startedAt = new Date().toISOString();
    enrichSession({
      metadata: { user_id: "user_42", workflow: "password-reset", started_at: startedAt },
    });

    const question = { role: "user", content: "How do I reset my password?" };
    const first = await scene.model([question], { model: "gpt-3.5-turbo" });
    await enrichSession({ metadata: { step: "initial_query_complete" } });

    const second = await scene.model(
      [
        question,
        { role: "assistant", content: first.text },
        { role: "user", content: "I didn't receive the email" },
      ],
      { model: "gpt-3.5-turbo" },
    );
    const completedAt = new Date().toISOString();
    enrichSession({
      metadata: { step: "workflow_complete", completed_at: completedAt },
      metrics: { total_interactions: 2, resolution: "success" },
    });
    const report = await tracer.close();
    return { sessionId: tracer.sessionId, startedAt, completedAt, answer: second.text, report };
  },

  async abExperiment(scene) {
    const { initTracer, enrichSession } = scene.api;
    const outcomes = [];
    for (const variant of ["variant_a", "variant_b"]) {
      const config =
        variant === "variant_a"
          ? { model: "gpt-4", temperature: 0.7 }
          : { model: "gpt-3.5-turbo", temperature: 0.9 };
      const tracer = await initTracer({
        ...server(scene),
        project: "ab-testing",
        sessionName: `experiment-${variant}`,
      });
      enrichSession({
        metadata: { experiment: "prompt_optimization_v2", variant, user_id: "user_7" },
        config,
      });

      const from = Date.now();
      const answer = await scene.model([{ role: "user", content: "Which plan fits me?" }], config);
      const metrics = {
        response_time: (Date.now() - from) / 1000,
        token_count: answer.usage.total_tokens,
        cost: costOf(answer.usage, config.model),
      };
      await enrichSession({ metrics, outputs: { response: answer.text } });
      await tracer.close();
      outcomes.push({
        sessionId: tracer.sessionId,
        variant,
        config,
        metrics,
        response: answer.text,
      });
    }
    return outcomes;
  },

  async feedbackAfterTheEnd(scene) {
    const { initTracer, enrichSession } = scene.api;
    const conversation = await initTracer({ ...server(scene), sessionName: "rated" });
    conversation.enrichSession({ outputs: { reply: "Try turning it off and on." } });
    await conversation.close();

    // Days later, in another part of the application.
    const forms = await initTracer({ ...server(scene), sessionName: "feedback-form" });
    const rating = 5;
    const feedbackTimestamp = new Date().toISOString();
    const delivery = await enrichSession({
      sessionId: conversation.sessionId,
      feedback: {
        user_rating: rating,
        user_comments: "Solved it at once",
        feedback_timestamp: feedbackTimestamp,
        helpful: rating >= 4,
      },
      metadata: { feedback_collected: true },
    });
    await forms.close();
    return { sessionId: conversation.sessionId, feedbackTimestamp, delivery };
  },

  async costTracking(scene) {
    const { initTracer, enrichSession } = scene.api;
    const tracer = await initTracer({
      ...server(scene),
      project: "my-app",
      sessionName: "cost-tracking-session",
    });
    const usages = [];
    let totalTokens = 0;
    let totalCost = 0;
    for (const content of ["Hello!", "Tell me more", "And what does that cost?"]) {
      const { usage } = await scene.model([{ role: "user", content }], { model: "gpt-3.5-turbo" });
      usages.push(usage);
      totalTokens += usage.total_tokens;
      totalCost += costOf(usage, "gpt-3.5-turbo");
      enrichSession({
        metrics: {
          total_tokens: totalTokens,
          total_cost: totalCost,
          call_count: usages.length,
          avg_tokens_per_call: totalTokens / usages.length,
        },
      });
      // The same sum without the bookkeeping.
      await tracer.addMetrics({ tokens_without_bookkeeping: usage.total_tokens });
    }
    await tracer.close();
    return { sessionId: tracer.sessionId, usages, totalTokens, totalCost };
  },

  async twoTracers(scene) {
    const { initTracer, enrichSession } = scene.api;
    const production = await initTracer({
      ...server(scene),
      project: "production",
      sessionName: "prod-session-1",
      source: "production",
    });
    const testing = await initTracer({
      apiKey: scene.otherApiKey,
      serverUrl: scene.otherBackendUrl,
      project: "testing",
      sessionName: "test-session-1",
      source: "testing",
    });
    const deliveries = await Promise.all([
      enrichSession(
        /** @type {any} The guide's spelling, in camel case, is not in the types. */ ({
          metadata: { environment: "production", user_id: "user_123" },
          tracerInstance: production,
        }),
      ),
      enrichSession({
        metadata: { environment: "testing", test_case: "scenario_1" },
        tracer: testing,
      }),
    ]);
    await Promise.all([production.close(), testing.close()]);
    return { production: production.sessionId, testing: testing.sessionId, deliveries };
  },

  lifecycleCompleted: (scene) => managedWorkflow(scene, scene.model),

  lifecycleFailed: (scene) =>
    managedWorkflow(scene, async () => {
      throw new RangeError("context of 9,000 tokens is too long");
    }),

  async nested(scene) {
    const { initTracer, enrichSession } = scene.api;
    const tracer = await initTracer({ ...server(scene), sessionName: "nested" });
    const delivery = await enrichSession(nestedEnrichment());
    await tracer.close();
    return { sessionId: tracer.sessionId, delivery };
  },

  async touch(scene) {
    const { initTracer, enrichSession } = scene.api;
    const tracer = await initTracer({ ...server(scene), sessionName: "touched" });
    const delivery = await enrichSession();
    const again = await enrichSession();
    await tracer.close();
    return { sessionId: tracer.sessionId, delivery, again };
  },
};

/**
 * The guide's session lifecycle: started, in progress, then completed or failed.
 * @param {Scene} scene
 * @param {Scene["model"]} model
 */
async function managedWorkflow(scene, model) {
  const { initTracer, enrichSession } = scene.api;
  const tracer = await initTracer({
    ...server(scene),
    project: "managed-workflows",
    sessionName: "write-a-poem-user_1",
  });
  /** @type {Record<string, any>} */
  const facts = { sessionId: tracer.sessionId, startedAt: new Date().toISOString() };
  try {
    await enrichSession({
      metadata: {
        user_id: "user_1",
        task: "write-a-poem",
        status: "started",
        started_at: facts.startedAt,
      },
    });
    await enrichSession({ metadata: { status: "in_progress" } });

    const answer = await model([{ role: "user", content: "Help me with: write-a-poem" }], {
      model: "gpt-3.5-turbo",
    });
    facts.completedAt = new Date().toISOString();
    facts.result = answer.text;
    await enrichSession({
      metadata: { status: "completed", completed_at: facts.completedAt },
      outputs: { result: answer.text },
      metrics: { success: true },
    });
  } catch (error) {
    facts.failedAt = new Date().toISOString();
    await enrichSession({
      metadata: {
        status: "failed",
        failed_at: facts.failedAt,
        error_type: error instanceof Error ? error.name : typeof error,
        error_message: error instanceof Error ? error.message : String(error),
      },
      metrics: { success: false },
    });
  }
  await tracer.close();
  return facts;
}

/** A fresh copy each time: what is checked later cannot be what the package has had its hands on. */
export const nestedEnrichment = () => ({
  metadata: {
    user: {
      id: "user_123",
      profile: {
        tier: "premium",
        features: ["chat", "analytics", "export"],
        settings: { notifications: true, language: "en" },
      },
    },
  },
  config: {
    model_pipeline: [
      { step: 1, model: "gpt-4", temperature: 0.7 },
      { step: 2, model: "gpt-3.5-turbo", temperature: 0.5 },
    ],
    fallback_strategy: { enabled: true, models: ["gpt-4", "gpt-3.5-turbo", "claude-2"] },
  },
});

/** @type {Scene["model"]} */
export async function cannedModel(messages) {
  await new Promise((resolve) => setTimeout(resolve, 5));
  const asked = messages.map((message) => message.content).join(" ");
  const text = `You said: ${messages[messages.length - 1]?.content}`;
  const prompt_tokens = asked.split(" ").length;
  const completion_tokens = text.split(" ").length;
  return {
    text,
    usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
  };
}

/**
 * @param {{prompt_tokens: number, completion_tokens: number}} usage
 * @param {string} model
 */
function costOf(usage, model) {
  return model.includes("gpt-4")
    ? usage.prompt_tokens * 0.00003 + usage.completion_tokens * 0.00006
    : usage.prompt_tokens * 0.000001 + usage.completion_tokens * 0.000002;
}
