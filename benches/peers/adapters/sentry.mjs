// What Sentry's SDKs have in common: a message, with what is said as its context.

/** Where events go: a project of the server. */
export const dsn = (url) => `${url.replace("://", "://bench@")}/1`;

export function adapterOf(Sentry) {
  return {
    update(sessionId, key, payload) {
      Sentry.withScope((scope) => {
        scope.setTag("session", sessionId);
        scope.setContext(key, payload);
        // Two messages alike, one after the other, would be taken for one.
        Sentry.captureMessage(`update ${key}`);
      });
    },
    flush: () => Sentry.flush(30_000),
  };
}
