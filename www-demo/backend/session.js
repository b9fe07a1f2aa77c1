// What a session becomes when it is started, started again or updated, and any event when it is updated: pure functions, no storage,
// no clock. Reserved roll-ups (metadata.cost, .has_feedback, .num_events, …) are not made here: what
// is stored is exactly what clients sent, so that tests can compare it whole.

/** @typedef {import("./schemas.js").JsonObject} JsonObject */

/**
 * A session is an event whose event_id is its session_id. As POST /v1/sessions answers it.
 * @typedef {object} SessionEvent
 * @property {string} event_id
 * @property {string} session_id the same
 * @property {null} parent_id
 * @property {string[]} children_ids
 * @property {"session"} event_type
 * @property {string} event_name
 * @property {string} [session_name] only where one was given
 * @property {string} source
 * @property {number} start_time Unix milliseconds
 * @property {number | null} end_time Unix milliseconds
 * @property {number | null} duration milliseconds
 * @property {JsonObject} config
 * @property {JsonObject} inputs
 * @property {JsonObject} outputs
 * @property {null} error
 * @property {JsonObject} metadata
 * @property {JsonObject} user_properties
 * @property {JsonObject} metrics
 * @property {JsonObject} feedback
 * @property {string} org_id
 * @property {string} workspace_id
 * @property {string} project_id
 */

/** @typedef {import("valibot").InferOutput<typeof import("./schemas.js").sessionSchema>} SessionStart */
/** @typedef {import("valibot").InferOutput<typeof import("./schemas.js").updateSchema>} EventUpdate */

/**
 * Merges by top-level key: the later value of a key stands, nothing is merged deeper.
 * Spread, not Object.assign: a key named "__proto__" is data too.
 * @param {JsonObject} before
 * @param {JsonObject | undefined} after
 * @returns {JsonObject}
 */
export function mergeKeys(before, after) {
  return after === undefined ? before : { ...before, ...after };
}

/**
 * @param {string} id a UUID
 * @param {SessionStart} start
 * @param {number} now Unix milliseconds, for a start without start_time
 * @returns {SessionEvent}
 */
export function startSession(id, start, now) {
  return {
    event_id: id,
    session_id: id,
    parent_id: null,
    children_ids: start.children_ids ?? [],
    event_type: "session",
    event_name: start.event_name ?? start.session_name ?? "unknown",
    ...(start.session_name === undefined ? {} : { session_name: start.session_name }),
    source: start.source ?? "unknown",
    start_time: start.start_time ?? now,
    end_time: start.end_time ?? null,
    duration: start.duration ?? null,
    config: start.config ?? {},
    inputs: start.inputs ?? {},
    outputs: start.outputs ?? {},
    error: null,
    metadata: start.metadata ?? {},
    user_properties: start.user_properties ?? {},
    metrics: {},
    feedback: {},
    org_id: "local",
    workspace_id: "local",
    project_id: "local",
  };
}

/**
 * A second start of the same session: metadata and user_properties are merged, all else it says is
 * passed over.
 * @param {SessionEvent} event
 * @param {SessionStart} start
 * @returns {SessionEvent}
 */
export function restartSession(event, start) {
  return {
    ...event,
    metadata: mergeKeys(event.metadata, start.metadata),
    user_properties: mergeKeys(event.user_properties, start.user_properties),
  };
}

/**
 * Updates a session, or another event.
 * @template {Pick<SessionEvent, "metadata" | "feedback" | "metrics" | "config" | "user_properties" | "outputs" | "duration" | "end_time" | "children_ids">} E
 * @param {E} event
 * @param {EventUpdate} update
 * @returns {E}
 */
export function updateEvent(event, update) {
  return /** @type {E} */ ({
    ...event,
    metadata: mergeKeys(event.metadata, update.metadata),
    feedback: mergeKeys(event.feedback, update.feedback),
    metrics: mergeKeys(event.metrics, update.metrics),
    config: mergeKeys(event.config, update.config),
    user_properties: mergeKeys(event.user_properties, update.user_properties),
    outputs: update.outputs ?? event.outputs,
    duration: update.duration ?? event.duration,
    end_time: update.end_time ?? event.end_time,
    // An empty list is documented as ignored.
    children_ids: update.children_ids?.length ? update.children_ids : event.children_ids,
  });
}
