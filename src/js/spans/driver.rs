//! What keeps spans moving: one loop for each exporter and request scope that has any. A scope is a
//! request on Workers, where nothing of one request may be continued in another; the loop is held
//! alive by its scope's `waitUntil`, and run by the host, which has the runtime's promises and timers.

use super::state::{self, Flight};
use crate::core::json::Object;
use crate::core::spans::exporter::Next;
use crate::js::clock::now;
use crate::js::host;

/// The exporter wants nothing more in the scope.
const OVER: f64 = -1.0;

/// Does what the exporter wants done in `scope` now. Returns the milliseconds after which the loop is
/// to run again, infinitely many where only an answer or a call can change anything; below zero, it is over.
pub fn run(exporter: u64, scope: u64) -> f64 {
    while let Some(next) = state::with(exporter, |it| it.next(scope, now())) {
        match next {
            Next::Send { flight, transport, timeout_ms, request } => host::send(
                scope as f64,
                state::add_flight(Flight { exporter, scope, number: flight }) as f64,
                transport,
                timeout_ms as f64,
                false,
                request.method,
                &request.url,
                &request.headers,
                &request.body,
            ),
            Next::Ended { call, why } => host::settle(call as f64, &outcome(exporter, why)),
            Next::Log(line) => host::log(line.level.name(), &line.message),
            Next::Wait(ms) => return ms.map_or(f64::INFINITY, |ms| ms as f64),
            Next::Rest => {
                state::rested(exporter);
                break;
            }
        }
    }
    OVER
}

/// What became of an export, as JSON: `{ exporter }`, and `why` if it failed.
fn outcome(exporter: u64, why: Option<String>) -> String {
    let mut json = String::new();
    let mut object = Object::open(&mut json);
    object.json("exporter", &exporter.to_string());
    if let Some(why) = why {
        object.text("why", &why);
    }
    object.close();
    json
}
