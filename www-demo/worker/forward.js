// Lets the page write to its session without a key: requests below /honeyhive go on to the backend
// with the Worker's key. Only the four routes that start or change a session pass. What it does NOT
// check: whose session it is, which fields are written, how much and how often. Anyone who can open
// the page can write to any session of the project, so this is for a demo on your own machine.

export const PREFIX = "/honeyhive";

const ROUTES = [
  { method: "POST", path: /^\/v1\/sessions$/ },
  { method: "PUT", path: /^\/v1\/events\/[\w-]+$/ },
  { method: "POST", path: /^\/session\/start$/ },
  { method: "PUT", path: /^\/events$/ },
];

/**
 * @param {Request} request
 * @param {{ HH_API_URL: string, HH_API_KEY: string }} env
 * @returns {Promise<Response>}
 */
export async function forward(request, env) {
  const path = new URL(request.url).pathname.slice(PREFIX.length);
  if (!ROUTES.some((route) => route.method === request.method && route.path.test(path))) {
    return Response.json(
      { message: `${request.method} ${path} is not forwarded.` },
      { status: 404 },
    );
  }
  const headers = new Headers({ authorization: `Bearer ${env.HH_API_KEY}` });
  for (const [name, value] of request.headers) {
    if (name === "content-type" || name.startsWith("hh-client-")) headers.set(name, value);
  }
  const answer = await fetch(env.HH_API_URL.replace(/\/+$/, "") + path, {
    method: request.method,
    headers,
    body: await request.arrayBuffer(),
  });
  const back = new Headers();
  for (const name of ["content-type", "retry-after"]) {
    const value = answer.headers.get(name);
    if (value !== null) back.set(name, value);
  }
  return new Response(answer.body, { status: answer.status, headers: back });
}
