//! Drives enrichments: one loop for each request scope that has anything unsettled.
//!
//! On Workers a scope is a request, because nothing of one request (a promise, a timer, a fetch) may be continued in
//! another. Everywhere else there is a single scope, number 0. A loop runs only on timers, fetches and calls of its own
//! scope, sends only what concerns its scope, and is kept alive by its scope's `waitUntil`.
//!
//! Promises and timers belong to the runtime, so the host manages them: it calls [`run`] when a loop is due, and reports
//! answers.

use crate::core::outcome::Output;
use crate::core::time::NEVER;

use super::clock::now;
use super::host;
use super::state;

/// How long outputs are performed without a pause, in milliseconds: less than a page's frame. On Workers the clock
/// stands still meanwhile, so everything is done without a pause.
const SLICE_MS: u64 = 10;

/// How many outputs are performed between two readings of the clock.
const OUTPUTS_PER_READING: u32 = 32;

/// The value that [`run`] returns if the scope has nothing left to do and its loop is over.
const OVER: f64 = -1.0;

/// Performs everything that is due in `scope`. Returns the milliseconds after which the loop has to run again: infinity
/// if only an answer or a call can change anything, and less than zero if the loop is over.
pub fn run(scope: u64) -> f64 {
    let mut at = now();
    let end = at.mono_ms + SLICE_MS;
    let mut outputs = 0;
    while let Some(output) = state::with(|registry| registry.poll(scope, at)).flatten() {
        // Anything but the promises of settled calls may run code of the application's, which takes its time and may
        // make calls at a later time than `at`.
        let is_quick = matches!(output, Output::Settled { .. });
        perform(scope, output);
        outputs += 1;
        if !is_quick || outputs % OUTPUTS_PER_READING == 0 {
            at = now();
        }
        if outputs % OUTPUTS_PER_READING == 0
            && at.mono_ms > end
            && state::with(|registry| !registry.is_leaving()) == Some(true)
        {
            return 0.0;
        }
    }
    let ms = state::with(|registry| {
        if !registry.is_busy(scope) {
            return OVER;
        }
        match registry.wake_at(scope, at) {
            NEVER => f64::INFINITY,
            // A runtime's timer fires at once if its time is longer.
            wake => wake.saturating_sub(at.mono_ms).min(i32::MAX as u64) as f64,
        }
    });
    ms.unwrap_or(OVER)
}

fn perform(scope: u64, output: Output) {
    match output {
        Output::Send { flight, transport, timeout_ms, keepalive, is_apart, request } => host::send(
            scope as f64,
            flight as f64,
            transport,
            timeout_ms as f64,
            keepalive,
            is_apart,
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
        Output::TornDown { scope, ids } => {
            host::forget_scope(scope as f64);
            for id in ids {
                host::abandon_call(id as f64);
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
        Output::AskTicket { tracer, timeout_ms } => {
            host::ask_ticket(scope as f64, tracer as f64, timeout_ms as f64);
        }
        Output::Log(line) => host::log(line.level.name(), &line.message),
    }
}
