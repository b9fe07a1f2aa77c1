// Mistakes that the face could make, planted in the built package to see that the simulation finds them.

/** @typedef {{ name: string, from: string, to: string }} Mistake */

/** @type {Mistake[]} */
export const MISTAKES = [
  {
    name: "a call that names a session is masked as the active tracer has it",
    from: "const redacted = owner.session.redact(json);",
    to: "const redacted = (session ?? owner.session).redact(json);",
  },
  {
    name: "a call that names a session goes out with the active tracer's key",
    from: "const owner = this.#sessions.resolve(core, tracer, id, scope);",
    to: "const owner = session ? { tracer, session } : this.#sessions.resolve(core, tracer, id, scope);",
  },
  {
    name: "what a tracer came with is not held for the work that it gets later",
    from: "if (isRunning()) sessions.hold(tracer);",
    to: "",
  },
  {
    name: "what a tracer came with is held for ever",
    from: "if (isRunning()) sessions.letGo(tracer);",
    to: "globalThis.honeyhiveEdgeHeld = [globalThis.honeyhiveEdgeHeld, sessions];",
  },
  {
    name: "a redact that throws lets the field through",
    from: 'typeof field === "object" ? { redacted: MASK } : MASK',
    to: "field",
  },
  {
    name: "some promises never settle",
    from: "    resolve(outcome);",
    to: "    if (Math.random() > 0.1) resolve(outcome);",
  },
  {
    name: "a copy of the package is held for ever by what the copies have in common",
    from: "copies?.add(weakly(copy));",
    to: "copies?.add({ deref: () => copy });",
  },
  {
    name: "a run counts less than the tracer that was made last",
    from: "return run ?? init ?? ambient.only();",
    to: "return init ?? run ?? ambient.only();",
  },
];

/**
 * @param {Mistake} mistake
 * @returns {(code: string) => string}
 */
export function planting({ name, from, to }) {
  return (code) => {
    if (!code.includes(from)) throw new Error(`there is no place for this any more: ${name}`);
    return code.replaceAll(from, to);
  };
}
