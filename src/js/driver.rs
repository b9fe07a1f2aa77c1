//! What keeps enrichments moving: one loop for each request scope that has anything unsettled.
//!
//! A scope is a request on Workers, where nothing of one request (a promise, a timer, a fetch)
//! may be continued in another; everywhere else there is one, number 0. A loop runs only on
//! timers, fetches and calls of its own scope, sends only what its scope is concerned with, and
//! is held alive by its scope's `waitUntil`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{future_to_promise, spawn_local};

use crate::core::outcome::Output;

use super::clock::now;
use super::fetch;
use super::host::Host;
use super::state;
use super::timer::Sleep;

/// Milliseconds at least between two looks at what another request is sending on this one's behalf: no
/// promise can tell across requests.
const LOOK_ACROSS_MS: u64 = 20;

/// The loops that run, by scope.
#[derive(Default)]
pub struct Drivers(Vec<Driver>);

impl Drivers {
    fn get(&mut self, scope: u64) -> Option<&mut Driver> {
        self.0.iter_mut().find(|driver| driver.scope == scope)
    }

    fn remove(&mut self, scope: u64) {
        self.0.retain(|driver| driver.scope != scope);
    }
}

#[derive(Default)]
struct Driver {
    scope: u64,
    is_called: bool,
    waker: Option<Waker>,
    flights: i32,
}

/// Something happened in `scope`: its loop looks at it, in a microtask of its own.
pub fn wake(scope: u64) {
    let waker = state::with(|state| {
        if let Some(driver) = state.drivers.get(scope) {
            driver.is_called = true;
            return Ok(driver.waker.take());
        }
        state.drivers.0.push(Driver { scope, ..Driver::default() });
        Err(state.host.clone())
    });
    match waker {
        Some(Ok(waker)) => waker.into_iter().for_each(Waker::wake),
        Some(Err(host)) => {
            let promise = future_to_promise(async move {
                drive(scope).await;
                Ok(JsValue::UNDEFINED)
            });
            // Without a `waitUntil` the runtime decides how long it lives.
            let _ = host.wait_until(scope as f64, &promise);
        }
        None => {}
    }
}

async fn drive(scope: u64) {
    loop {
        pump(scope);
        let Some(ms) = rest(scope) else { return };
        let Some(sleep) = Sleep::start(ms) else {
            // No timers here: what waits goes out with the next call that comes.
            state::with(|state| state.drivers.remove(scope));
            return;
        };
        let mut sleep = pin!(sleep);
        poll_fn(|context| {
            let is_called = state::with(|state| {
                let driver = state.drivers.get(scope)?;
                driver.waker = Some(context.waker().clone());
                Some(std::mem::take(&mut driver.is_called))
            });
            if is_called.flatten() == Some(true) {
                Poll::Ready(())
            } else {
                sleep.as_mut().poll(context)
            }
        })
        .await;
    }
}

/// Milliseconds until the loop is to look again; nothing, and the loop is over, where all of
/// its scope has ended.
fn rest(scope: u64) -> Option<u64> {
    state::with(|state| {
        if !state.registry.is_busy(scope) {
            state.drivers.remove(scope);
            return None;
        }
        let wake_at = state.registry.wake_at().unwrap_or(u64::MAX);
        let ms = wake_at.saturating_sub(now().mono_ms);
        let flights = state.drivers.get(scope).map_or(0, |driver| driver.flights);
        let looks_across = scope != 0 && flights == 0;
        // A look costs as much as there are scopes: with many of them each looks less often.
        let look_across_ms = LOOK_ACROSS_MS.max(state.drivers.0.len() as u64);
        Some(ms.min(if looks_across { look_across_ms } else { i32::MAX as u64 }))
    })
    .flatten()
}

/// Does what the core wants done now.
fn pump(scope: u64) {
    while let Some((output, host)) = state::with(|state| {
        state.registry.poll(scope, now()).map(|output| (output, state.host.clone()))
    })
    .flatten()
    {
        carry_out(output, scope, host);
    }
}

fn carry_out(output: Output, scope: u64, host: Host) {
    // A host that throws has nobody else to tell; the core goes on.
    let _ = match output {
        Output::Send { flight, transport, timeout_ms, request } => {
            count_flight(scope, 1);
            spawn_local(async move {
                let answer = fetch::send(&host, transport, timeout_ms, request).await;
                state::with(|state| state.registry.answered(flight, &answer, now()));
                count_flight(scope, -1);
                wake(scope);
            });
            Ok(())
        }
        Output::Settled { ids, outcome } => {
            let ids = ids.into_iter().map(|id| id as f64).collect();
            host.settle(ids, &outcome.to_json())
        }
        Output::Dropped { tracer, json } => host.dropped(tracer as f64, &json),
        Output::Adopted { tracer, session_id } => host.adopted(tracer as f64, session_id.as_str()),
        Output::Idle { tracer } => host.idle(tracer as f64),
        Output::Log(line) => host.log(line.level.name(), &line.message),
    };
}

fn count_flight(scope: u64, change: i32) {
    state::with(|state| {
        if let Some(driver) = state.drivers.get(scope) {
            driver.flights += change;
        }
    });
}
