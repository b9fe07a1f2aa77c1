// The yardstick: JSON.stringify of what is said, and nothing sent.

export function setup() {
  let length = 0;
  return {
    update(sessionId, key, payload) {
      length += JSON.stringify({ metadata: { [key]: payload } }).length;
    },
    async flush() {
      if (!(length >= 0)) throw new Error("nothing was written");
    },
  };
}
