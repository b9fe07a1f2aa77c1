//! What keeps spans moving: one loop for each exporter and request scope that has any. A scope is a
//! request on Workers, where nothing of one request may be continued in another; the loop is held
//! alive by its scope's `waitUntil`.

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

use super::state;
use crate::core::json::Object;
use crate::core::spans::exporter::Next;
use crate::js::clock::now;
use crate::js::fetch;
use crate::js::timer::Sleep;

/// Begins to do what the exporter wants done in `scope`, in a microtask of its own.
pub fn begin(exporter: u64, scope: u64) {
    let Some(host) = state::host() else { return };
    let promise = future_to_promise(async move {
        drive(exporter, scope).await;
        Ok(JsValue::UNDEFINED)
    });
    // Without a `waitUntil` the runtime decides how long it lives.
    let _ = host.wait_until(scope as f64, &promise);
}

async fn drive(exporter: u64, scope: u64) {
    let Some(host) = state::host() else { return };
    while let Some(next) = state::with(exporter, |it| it.next(scope, now())) {
        // A host that throws has nobody else to tell; the exporter goes on.
        let _ = match next {
            Next::Send { transport, timeout_ms, request } => {
                let answer = fetch::send(&host, transport, timeout_ms, false, request).await;
                state::with(exporter, |it| it.answered(scope, &answer, now()));
                Ok(())
            }
            Next::Ended { call, why } => host.settle(vec![call as f64], &outcome(exporter, why)),
            Next::Log(line) => host.log(line.level.name(), &line.message),
            Next::Wait(ms) => {
                match Sleep::start(ms) {
                    Some(sleep) => sleep.await,
                    None => drop(state::with(exporter, |it| it.no_timer(scope))),
                }
                Ok(())
            }
            Next::Rest => return state::rested(exporter),
        };
    }
}

/// What became of an export, as JSON: `{ exporter }`, and `why` if it failed.
fn outcome(exporter: u64, why: Option<String>) -> String {
    let mut json = String::new();
    let mut object = Object::open(&mut json);
    object.value("exporter").push_str(&exporter.to_string());
    if let Some(why) = why {
        object.text("why", &why);
    }
    object.close();
    json
}
