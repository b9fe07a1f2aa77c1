// The application as a Worker.

export const worker = `
  import { app } from "./app.mjs";

  let handle;
  export default {
    fetch(request, env) {
      handle ??= app(env);
      return handle(request);
    },
  };
`;
