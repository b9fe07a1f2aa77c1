//! The Rust that sends, held to what is promised of an answer, whatever `fetch` does: see answers.js.

use std::cell::Cell;

use honeyhive_edge::core::wire::{Answer, Request};
use honeyhive_edge::js::fetch::BodyForm;
use honeyhive_edge::js::{executor, fetch};
use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::*;

#[wasm_bindgen(module = "/tests/surface/answers.js")]
extern "C" {
    #[wasm_bindgen(js_name = answerCases)]
    fn answer_cases(send: &JsValue, clock: &JsValue) -> Object;
    #[wasm_bindgen(js_name = sendToNobody)]
    fn send_to_nobody(send: &JsValue, clock: &JsValue, times: u32) -> Promise;
    #[wasm_bindgen(js_name = newBench)]
    fn new_bench(run: &JsValue) -> JsValue;
}

fn get(value: &JsValue, name: &str) -> JsValue {
    Reflect::get(value, &name.into()).unwrap()
}

fn set(object: &Object, name: &str, value: impl Into<JsValue>) {
    Reflect::set(object, &name.into(), &value.into()).unwrap();
}

/// As the host of a package would see it: a negative status where there was no answer.
fn told(reply: fetch::Reply) -> JsValue {
    let late = matches!(reply, fetch::Reply::Late(_));
    let (status, retry_after, body) = match reply.into() {
        Answer::Http { status, retry_after, body } => {
            (f64::from(status), if retry_after.is_some() { "some" } else { "" }, body)
        }
        Answer::None { why } => (if late { -2.0 } else { -1.0 }, "", why),
        Answer::Unusable { why } => (-3.0, "", why),
    };
    let answer = Object::new();
    set(&answer, "status", status);
    set(&answer, "retryAfter", retry_after);
    set(&answer, "body", body);
    answer.into()
}

fn send(ask: Function, timeout_ms: f64) -> Promise {
    thread_local! {
        static SCOPES: Cell<u32> = const { Cell::new(0) };
    }
    SCOPES.set(SCOPES.get() + 1);
    let request = Request {
        method: "POST",
        url: "https://hive.example/v1/sessions".into(),
        headers: r#"{"content-type":"application/json"}"#.into(),
        body: "{}".into(),
    };
    Promise::new(&mut |resolve, _| {
        let (ask, request) = (ask.clone(), request.clone());
        executor::spawn(SCOPES.get(), async move {
            let call = |url: &str, init: &web_sys::RequestInit| {
                ask.call2(&JsValue::UNDEFINED, &url.into(), init)
            };
            let reply = fetch::send(request, BodyForm::Text, timeout_ms as u64, call).await;
            resolve.call1(&JsValue::UNDEFINED, &told(reply)).unwrap();
        });
    })
}

/// A host with a clock of the test's own, as the global that the module calls.
pub fn connect() -> JsValue {
    let run = Closure::<dyn Fn(u32)>::new(executor::run).into_js_value();
    let bench = new_bench(&run);
    Reflect::set(&js_sys::global(), &"host".into(), &get(&bench, "host")).unwrap();
    bench
}

#[wasm_bindgen_test]
async fn a_request_that_is_never_answered_leaves_nothing() {
    let bench = connect();
    let send = Closure::<dyn Fn(Function, f64) -> Promise>::new(send).into_js_value();
    let pages = || core::arch::wasm32::memory_size(0);
    let clock = get(&bench, "clock");
    JsFuture::from(send_to_nobody(&send, &clock, 200)).await.unwrap();
    let before = pages();
    JsFuture::from(send_to_nobody(&send, &clock, 2_000)).await.unwrap();
    assert!(pages() - before <= 2, "{} pages of memory more", pages() - before);
}

#[wasm_bindgen_test]
async fn there_is_an_answer_in_time_whatever_fetch_does() {
    let bench = connect();
    let send = Closure::<dyn Fn(Function, f64) -> Promise>::new(send).into_js_value();
    let cases = answer_cases(&send, &get(&bench, "clock"));
    let mut wrong = Vec::new();
    let all = Object::entries(&cases);
    assert!(all.length() > 50);
    for case in all.iter() {
        let case: Array = case.unchecked_into();
        let run: Function = case.get(1).unchecked_into();
        let run: Promise = run.call0(&JsValue::UNDEFINED).unwrap().unchecked_into();
        if let Err(error) = JsFuture::from(run).await {
            wrong.push(format!("{}: {error:?}", case.get(0).as_string().unwrap()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let timers = get(&get(&get(&bench, "host"), "timers"), "size");
    assert_eq!(timers, 0, "every timer was cleared");
}
