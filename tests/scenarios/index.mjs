// Every scenario by its name. Each file <name>.mjs here is portable and says what an application
// does; its <name>.check.mjs says, in the test's own process, what has to have come of it.

import * as guide from "../guide/examples.mjs";
import { run as blocked } from "./blocked.mjs";
import { run as events } from "./events.mjs";
import { run as environment } from "./environment.mjs";
import { run as fields } from "./fields.mjs";
import { run as hostileFetch } from "./hostile-fetch.mjs";
import { run as misconfigured } from "./misconfigured.mjs";
import { run as names } from "./names.mjs";
import { run as touch } from "./touch.mjs";
import { run as tracers } from "./tracers.mjs";
import { run as trap } from "./trap.mjs";
import { run as values } from "./values.mjs";
import { run as witness } from "./witness.mjs";

/** @typedef {import("./runner.mjs").Context} Context */

/** @type {Record<string, (context: Context) => Promise<any>>} */
export const scenarios = {
  guide: ({ api, servers, keys }) =>
    guide.run({
      api,
      backendUrl: servers.v1,
      apiKey: keys.main,
      otherBackendUrl: servers.second,
      otherApiKey: keys.other,
    }),
  guideOnLegacy: ({ api, servers, keys }) =>
    guide.run({
      api,
      backendUrl: servers.legacy,
      apiKey: keys.main,
      otherBackendUrl: servers.second,
      otherApiKey: keys.other,
    }),
  fields,
  touch,
  names,
  tracers,
  events,
  values,
  misconfigured,
  hostileFetch,
  blocked,
  environment,
  trap,
  witness,
};
