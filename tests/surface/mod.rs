//! The wasm surface in a real engine, with a `fetch` of the test's own: shared by the suite that
//! runs in Node and the one that runs in a browser.

use honeyhive_edge::js::exports::{
    add_metrics, close, connect, enrich_session, flush, init_tracer, release, request_answered,
    run, tracers,
};
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::*;

#[wasm_bindgen(inline_js = r#"
const answers = {
  stores: () => Promise.resolve(new Response('{}', { status: 200 })),
  throws: () => { throw new Error("sync"); },
  rejectsWithText: () => Promise.reject("text"),
  rejectsWithNothing: () => Promise.reject(undefined),
  rejectsWithForeignError: () => Promise.reject({ get message() { throw new Error("no"); } }),
  givesNothing: () => undefined,
  givesPlainObject: () => ({ status: 200 }),
  givesThrowingStatus: () => ({ get status() { throw new Error("no"); } }),
  givesThrowingThen: () => ({ get then() { throw new Error("no"); } }),
  givesBodyThatFails: () => ({ status: 200, headers: null, text: () => Promise.reject(1) }),
  givesTextThatThrows: () => ({ status: 200, headers: {}, text() { throw 1; } }),
  neverSettles: () => new Promise(() => {}),
};

const LATE = Symbol("late");

/** What the package's own `send.js` does, as far as the core can tell; that has tests of its own. */
async function send(fetch, timeoutMs) {
  const late = new Promise((resolve) => setTimeout(resolve, timeoutMs, LATE));
  const none = (status) => ({ status, retryAfter: "", body: "" });
  try {
    const answer = await Promise.race([fetch(), late]);
    if (answer === LATE) return none(-2);
    const status = (() => { try { return answer.status; } catch {} })();
    if (typeof status !== "number") return none(-3);
    const body = await (async () => answer.text())().catch(() => "");
    return { status, retryAfter: "", body };
  } catch {
    return none(-1);
  }
}

/** A host whose fetch answers as `kind` says, and that keeps what it is told. Its loops are the package's own. */
export function makeHost(kind, newLoops, run, answered) {
  const waiting = new Map();
  const host = {
    requests: [], lines: [], drops: [], idleTracers: [], kept: [],
    settle(id, json) {
      if (json) this.told = JSON.parse(json);
      const outcome = { ...this.told };
      waiting.get(id)?.(outcome) ?? waiting.set(id, outcome);
    },
    outcome(id) {
      if (waiting.has(id)) return Promise.resolve(waiting.get(id));
      return new Promise((resolve) => waiting.set(id, resolve));
    },
    dropped(tracer, json) { this.drops.push(JSON.parse(json)); },
    log(level, message) { this.lines.push(`${level} ${message}`); },
    busy() {},
    idle(tracer) { this.idleTracers.push(tracer); },
    fetch(transport, url, init) {
      this.requests.push({ url, init });
      return answers[kind]();
    },
    wake: (scope) => loops.wake(scope),
    send(scope, flight, transport, timeoutMs, keepalive, isApart, method, url, headers, body) {
      const init = { method, headers: JSON.parse(headers), body };
      send(() => host.fetch(transport, url, init), timeoutMs).then(({ status, retryAfter, body }) => {
        answered(flight, status, retryAfter, body);
        loops.look(scope);
      });
    },
    abort() {},
    askTicket() {},
    now: () => performance.now(),
    wallNow: () => Date.now(),
    parseDate: (text) => Date.parse(text),
  };
  const loops = newLoops(run, (scope, promise) => host.kept.push(promise));
  return host;
}
"#)]
extern "C" {
    #[wasm_bindgen(js_name = makeHost)]
    fn make_host_of(kind: &str, new_loops: &JsValue, run: &JsValue, answered: &JsValue)
    -> TestHost;

    type TestHost;
    #[wasm_bindgen(method)]
    fn outcome(this: &TestHost, id: f64) -> js_sys::Promise;
    #[wasm_bindgen(method, getter)]
    fn requests(this: &TestHost) -> Array;
    #[wasm_bindgen(method, getter)]
    fn lines(this: &TestHost) -> Array;
    #[wasm_bindgen(method, getter)]
    fn drops(this: &TestHost) -> Array;
    #[wasm_bindgen(method, getter, js_name = idleTracers)]
    fn idle_tracers(this: &TestHost) -> Array;
    #[wasm_bindgen(method, getter)]
    fn kept(this: &TestHost) -> Array;
}

#[wasm_bindgen(module = "/pkg-template/src/loops.js")]
extern "C" {
    #[wasm_bindgen(js_name = newLoops)]
    fn new_loops(run: JsValue, wait_until: JsValue) -> JsValue;
}

// What that imports. wasm-bindgen takes along only the files from which something is imported here; and its server
// for headless browsers stalls where a page asks for many at once, so they are few.

#[wasm_bindgen(module = "/pkg-template/src/guard.js")]
extern "C" {
    #[wasm_bindgen(js_name = messageOf)]
    fn message_of(error: JsValue) -> String;
}

#[wasm_bindgen(module = "/pkg-template/src/globals.js")]
extern "C" {
    #[wasm_bindgen(js_name = forwardNow)]
    fn forward_now() -> f64;
}

fn make_host(kind: &str) -> TestHost {
    assert_eq!(message_of("it".into()), "it");
    assert!(forward_now() >= 0.0);
    make_host_of(
        kind,
        &Closure::<dyn Fn(JsValue, JsValue) -> JsValue>::new(new_loops).into_js_value(),
        &Closure::<dyn Fn(f64) -> f64>::new(run).into_js_value(),
        &Closure::<dyn Fn(f64, f64, String, String)>::new(request_answered).into_js_value(),
    )
}

fn get(value: &JsValue, name: &str) -> JsValue {
    Reflect::get(value, &name.into()).unwrap()
}

fn text(value: &JsValue, name: &str) -> String {
    get(value, name).as_string().unwrap_or_default()
}

fn start(host: &TestHost, more: &[(&str, JsValue)]) -> f64 {
    Reflect::set(&js_sys::global(), &"host".into(), host).unwrap();
    connect(7.0, "server");
    let options = Object::new();
    let own = [
        ("apiKey", "key".into()),
        ("serverUrl", "https://hive.example".into()),
        ("redact", true.into()),
        ("redactPatterns", true.into()),
        ("onDrop", true.into()),
        ("newSessionId", "0a0a0a0a-0000-4000-8000-000000000000".into()),
    ];
    for (name, value) in own.iter().chain(more) {
        Reflect::set(&options, &(*name).into(), value).unwrap();
    }
    let options = String::from(js_sys::JSON::stringify(&options).unwrap());
    let info = js_sys::JSON::parse(&init_tracer(options, 0.0)).unwrap();
    assert_eq!(get(&info, "enabled"), JsValue::TRUE);
    assert_eq!(text(&info, "sessionId").len(), 36);
    get(&info, "tracer").as_f64().unwrap()
}

async fn outcome(host: &TestHost, id: f64) -> JsValue {
    JsFuture::from(host.outcome(id)).await.unwrap()
}

#[wasm_bindgen_test]
async fn an_enrichment_travels_with_the_start_and_its_outcome_comes_back() {
    let host = make_host("stores");
    let tracer = start(&host, &[]);
    let json = r#"{"metadata":{"plan":"pro","password":"x"},"outputs":[1]}"#;
    let id = enrich_session(tracer, String::new(), json.into(), 0.0, true);
    assert_eq!(text(&outcome(&host, id).await, "status"), "delivered");
    assert_eq!(host.requests().length(), 1, "start and enrichment are one request");
    let request = host.requests().get(0);
    assert_eq!(text(&request, "url"), "https://hive.example/v1/sessions");
    let body = text(&get(&request, "init"), "body");
    assert!(body.contains(r#""metadata":{"password":"[Redacted]","plan":"pro"}"#), "{body}");
    assert!(body.contains(r#""outputs":{"value":[1]}"#), "{body}");
}

/// gloo-net reads a platform `Request` well, whatever its `send()` does with a strange `fetch`.
#[wasm_bindgen_test]
async fn what_is_given_to_fetch_is_a_request_to_the_platform_too() {
    let host = make_host("stores");
    let tracer = start(&host, &[]);
    outcome(
        &host,
        enrich_session(tracer, String::new(), r#"{"metrics":{"a":1}}"#.into(), 0.0, true),
    )
    .await;
    let given = host.requests().get(1);
    let request = web_sys::Request::new_with_str_and_init(
        &text(&given, "url"),
        get(&given, "init").unchecked_ref(),
    );
    let request = gloo_net::http::Request::from(request.unwrap());
    assert!(matches!(request.method(), gloo_net::http::Method::PUT));
    assert_eq!(request.headers().get("authorization").as_deref(), Some("Bearer key"));
    assert_eq!(request.headers().get("content-type").as_deref(), Some("application/json"));
    assert!(request.headers().get("hh-client-timestamp").is_some());
    assert_eq!(request.text().await.unwrap(), r#"{"metrics":{"a":1}}"#);
}

#[wasm_bindgen_test]
async fn no_fetch_leaves_a_call_without_its_outcome() {
    for (kind, reason) in [
        ("throws", "retries_exhausted"),
        ("rejectsWithText", "retries_exhausted"),
        ("rejectsWithNothing", "retries_exhausted"),
        ("rejectsWithForeignError", "retries_exhausted"),
        // What is no Response will be none the next time, so it is said at once.
        ("givesNothing", "rejected"),
        ("givesThrowingStatus", "rejected"),
        ("givesThrowingThen", "retries_exhausted"),
        ("neverSettles", "retries_exhausted"),
    ] {
        let host = make_host(kind);
        let tracer = start(&host, &[("deadlineMs", 30.into()), ("timeoutMs", 20.into())]);
        let id = enrich_session(tracer, String::new(), r#"{"metadata":{"a":1}}"#.into(), 0.0, true);
        let ended = outcome(&host, id).await;
        assert_eq!(text(&ended, "status"), "dropped", "{kind}");
        assert_eq!(text(&ended, "reason"), reason, "{kind}");
        let dropped = host.drops().get(0);
        assert_eq!(get(&get(&get(&dropped, "enrichment"), "metadata"), "a"), 1, "{kind}");
    }
}

#[wasm_bindgen_test]
async fn a_status_counts_whatever_becomes_of_the_body() {
    for kind in ["givesPlainObject", "givesBodyThatFails", "givesTextThatThrows"] {
        let host = make_host(kind);
        let tracer = start(&host, &[]);
        let id = enrich_session(tracer, String::new(), r#"{"metadata":{"a":1}}"#.into(), 0.0, true);
        assert_eq!(text(&outcome(&host, id).await, "status"), "delivered", "{kind}");
    }
}

#[wasm_bindgen_test]
async fn totals_flush_close_and_release_do_what_they_say() {
    let host = make_host("stores");
    let tracer = start(&host, &[("mergeWindowMs", 60_000.into())]);
    let first = add_metrics(tracer, r#"{"tokens":3}"#.into(), 0.0);
    outcome(&host, first).await;
    add_metrics(tracer, r#"{"tokens":4,"bad":"x"}"#.into(), 0.0);
    let report = outcome(&host, flush(tracer, 10_000.0, 0.0)).await;
    assert_eq!(get(&report, "delivered"), 2, "flush does not wait for the merge window");
    assert_eq!(get(&report, "pending"), 0);
    let last = host.requests().get(host.requests().length() - 1);
    assert_eq!(text(&get(&last, "init"), "body"), r#"{"metrics":{"tokens":7}}"#);
    outcome(&host, close(tracer, 1_000.0, 0.0)).await;
    let late = enrich_session(tracer, String::new(), "{}".into(), 0.0, true);
    assert_eq!(text(&outcome(&host, late).await, "reason"), "closed");
    release(tracer);
    assert_eq!(tracers(), 0.0);
    assert!(host.idle_tracers().includes(&tracer.into(), 0));
    JsFuture::from(js_sys::Promise::all(&host.kept())).await.unwrap();
}

#[wasm_bindgen_test]
async fn bad_arguments_are_told_of_and_never_throw() {
    let host = make_host("stores");
    let tracer = start(&host, &[]);
    for json in ["42", "not json", "{\"metadata\":3}", ""] {
        let ended =
            outcome(&host, enrich_session(tracer, String::new(), json.into(), 0.0, true)).await;
        assert_eq!(text(&ended, "reason"), "invalid", "{json}");
    }
    let nowhere = enrich_session(999.0, String::new(), "{}".into(), 0.0, true);
    assert_eq!(text(&outcome(&host, nowhere).await, "reason"), "closed");
    assert_eq!(init_tracer("7".into(), 0.0), "", "there is no id for its session");
    let odd = init_tracer(r#"{"newSessionId":"a","apiKey":7}"#.into(), 0.0);
    let odd = js_sys::JSON::parse(&odd).unwrap();
    assert_eq!(get(&odd, "enabled"), JsValue::FALSE);
    let nothing = enrich_session(
        get(&odd, "tracer").as_f64().unwrap(),
        String::new(),
        "{}".into(),
        0.0,
        true,
    );
    assert_eq!(text(&outcome(&host, nothing).await, "reason"), "disabled");
    assert!(host.lines().iter().any(|line| line.as_string().unwrap().contains("HH_API_KEY")));
}
