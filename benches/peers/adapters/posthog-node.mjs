// PostHog: an event of the session, with what is said as its properties.

import { PostHog } from "posthog-node";

export function setup({ url }) {
  const posthog = new PostHog("phc_bench", { host: url });
  return {
    update(sessionId, key, payload) {
      posthog.capture({
        distinctId: "user_123",
        event: "update",
        properties: { $session_id: sessionId, [key]: payload },
      });
    },
    flush: () => posthog.flush(),
  };
}
