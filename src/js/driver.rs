//! What keeps enrichments moving: one loop for each request scope that has anything unsettled.
//!
//! A scope is a request on Workers, where nothing of one request (a promise, a timer, a fetch)
//! may be continued in another; everywhere else there is one, number 0. A loop runs only on
//! timers, fetches and calls of its own scope, sends only what its scope is concerned with, and
//! is held alive by its scope's `waitUntil`.
//!
//! Promises and timers are the runtime's, so the host has them: it runs a loop when it is time to,
//! and tells of answers. Here is what happens in between.

use crate::core::outcome::Output;
use crate::core::time::NEVER;

use super::clock::now;
use super::host;
use super::state;

/// Milliseconds for which outputs are carried out in one go: less than a frame of a page. On Workers the
/// clock stands still meanwhile, and all is done in one.
const SLICE_MS: u64 = 10;

/// Outputs carried out between two looks at the clock.
const OUTPUTS_BETWEEN_LOOKS: u32 = 32;

/// Nothing of the scope is left: its loop is over.
const OVER: f64 = -1.0;

/// Does what is to be done in `scope` now. Returns the milliseconds after which its loop is to
/// run again, infinitely many where only an answer or a call can change anything; below zero, it
/// is over.
pub fn run(scope: u64) -> f64 {
    let end = now().mono_ms + SLICE_MS;
    let mut outputs = 0;
    while let Some(output) = state::with(|registry| registry.poll(scope, now())).flatten() {
        perform(scope, output);
        outputs += 1;
        if outputs % OUTPUTS_BETWEEN_LOOKS == 0
            && now().mono_ms > end
            && state::with(|registry| !registry.is_leaving()) == Some(true)
        {
            return 0.0;
        }
    }
    let ms = state::with(|registry| {
        if !registry.is_busy(scope) {
            return OVER;
        }
        let now = now();
        match registry.wake_at(scope, now) {
            NEVER => f64::INFINITY,
            // More is none to timers.
            at => at.saturating_sub(now.mono_ms).min(i32::MAX as u64) as f64,
        }
    });
    ms.unwrap_or(OVER)
}

fn perform(scope: u64, output: Output) {
    match output {
        Output::Send { flight, transport, timeout_ms, keepalive, request } => host::send(
            scope as f64,
            flight as f64,
            transport,
            timeout_ms as f64,
            keepalive,
            request.method,
            &request.url,
            &request.headers,
            &request.body,
        ),
        Output::Abort { flight } => host::abort(flight as f64),
        Output::Settled { ids, outcome } => {
            let mut json = outcome.to_json();
            for id in ids {
                host::settle(id as f64, &json);
                json.clear();
            }
        }
        Output::Gone { scope, ids } => {
            host::left(scope as f64);
            for id in ids {
                host::gone(id as f64);
            }
        }
        Output::Dropped { tracer, json } => host::dropped(tracer as f64, &json),
        Output::Idle { tracer } => host::idle(tracer as f64),
        Output::Keep { id, json } => host::keep(id as f64, &json),
        Output::Forget { ids } => {
            for id in ids {
                host::forget(id as f64);
            }
        }
        Output::Log(line) => host::log(line.level.name(), &line.message),
    }
}
