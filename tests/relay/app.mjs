// The application under test, the same in every runtime: relays of different settings side by side,
// each at its own path, and a page's way to a ticket. Portable: no import but the package's.

import { createRelay, issueTicket } from "honeyhive-edge/relay";

/**
 * @typedef {object} Env
 * @property {string} BACKEND the server's address
 * @property {string} API_KEY
 * @property {string} SECRET
 * @property {string} OLD_SECRET
 * @property {string} [SITE] where pages come from
 * @property {string} [ORIGINS] of other pages, with commas between them
 */

/**
 * @param {Env} env
 * @param {(relay: typeof createRelay) => typeof createRelay} [wrap]
 * @returns {(request: Request) => Promise<Response>}
 */
export function app(env, wrap = (create) => create) {
  const common = {
    apiKey: env.API_KEY,
    serverUrl: env.BACKEND,
    secret: [env.SECRET, env.OLD_SECRET],
    origins: env.ORIGINS?.split(",") ?? [],
    // All that a relay ever says, so that it can be searched for what it must not say.
    logLevel: /** @type {const} */ ("debug"),
  };
  const create = wrap(createRelay);
  const relays = [
    { path: "/honeyhive", relay: create(common) },
    {
      path: "/tight",
      relay: create({ ...common, path: "/tight", rate: { requests: 3, seconds: 60 } }),
    },
    { path: "/hasty", relay: create({ ...common, path: "/hasty", timeoutMs: 300 }) },
    { path: "/patient", relay: create({ ...common, path: "/patient", timeoutMs: 100_000 }) },
    { path: "/bare", relay: create({ ...common, path: "/bare", secret: "too short" }) },
  ];
  return async (request) => {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/ticket") {
      return new Response(await issueTicket({ ...(await request.json()), secret: env.SECRET }));
    }
    const found = relays.find(({ path }) => pathname.startsWith(path));
    // What is under none of them is the page's, and the relay's to refuse where there is no page.
    if (found || !env.SITE) return (found ?? relays[0]).relay(request);
    return fetch(env.SITE + pathname + search);
  };
}
