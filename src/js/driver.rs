//! What keeps enrichments moving: one loop for each request scope that has anything unsettled.
//!
//! A scope is a request on Workers, where nothing of one request (a promise, a timer, a fetch)
//! may be continued in another; everywhere else there is one, number 0. A loop runs only on
//! timers, fetches and calls of its own scope, sends only what its scope is concerned with, and
//! is held alive by its scope's `waitUntil`.
//!
//! All that a loop waits for is kept here, and polled here: where the runtime tears a request
//! down, nothing would ever end a future that was spawned, nor free what it holds.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;

use crate::core::outcome::Output;
use crate::core::wire::Answer;

use super::clock::now;
use super::fetch;
use super::host::Host;
use super::state;
use super::timer::Sleep;

/// The loops, in the order of their scopes' numbers, which mostly go up.
#[derive(Default)]
pub struct Drivers(Vec<Driver>);

struct Driver {
    scope: u64,
    /// It runs in a microtask that is to come.
    is_woken: bool,
    /// What it waits for; away while it runs.
    waits: Waits,
}

/// A request on its way, and its number.
type Fetch = (u64, Pin<Box<dyn Future<Output = Answer>>>);

#[derive(Default)]
struct Waits {
    fetches: Vec<Fetch>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Ends the promise that holds the request alive.
    end: Option<Function>,
}

impl Drivers {
    fn place(&self, scope: u64) -> Result<usize, usize> {
        self.0.binary_search_by_key(&scope, |driver| driver.scope)
    }

    fn get(&mut self, scope: u64) -> Option<&mut Driver> {
        self.place(scope).ok().map(|place| &mut self.0[place])
    }

    /// Notes that the loop of `scope` is to run, which may be a new one. Says whether it was to
    /// run already.
    fn wake(&mut self, scope: u64) -> bool {
        let place = self.place(scope).unwrap_or_else(|place| {
            self.0.insert(place, Driver { scope, is_woken: false, waits: Waits::default() });
            place
        });
        std::mem::replace(&mut self.0[place].is_woken, true)
    }

    fn remove(&mut self, scope: u64) -> Option<Driver> {
        self.place(scope).ok().map(|place| self.0.remove(place))
    }
}

thread_local! {
    /// Runs a loop, by its scope. One for all, as it has nothing of its own.
    static RUN: Closure<dyn FnMut(JsValue)> =
        Closure::new(|scope: JsValue| run(scope.as_f64().unwrap_or_default() as u64));
}

/// A loop's way to be woken by what it waits for.
struct ByScope(u64);

impl Wake for ByScope {
    fn wake(self: Arc<Self>) {
        wake(self.0);
    }
}

/// Something happened in `scope`: its loop looks at it, in a microtask of its own.
pub fn wake(scope: u64) {
    if state::with(|state| state.drivers.wake(scope)) == Some(false) {
        // Dropped, the promise still calls.
        let _ = RUN.with(|run| Promise::resolve(&JsValue::from(scope as f64)).then(run));
    }
}

fn run(scope: u64) {
    let waits = state::with(|state| {
        let driver = state.drivers.get(scope)?;
        driver.is_woken = false;
        Some((std::mem::take(&mut driver.waits), state.host.clone()))
    });
    let Some((mut waits, host)) = waits.flatten() else { return };
    let waker = Waker::from(Arc::new(ByScope(scope)));
    let mut context = Context::from_waker(&waker);
    if waits.end.is_none() {
        let promise = Promise::new(&mut |end, _| waits.end = Some(end));
        // Without a `waitUntil` the runtime decides how long it lives.
        let _ = host.wait_until(scope as f64, &promise);
    }
    land(&mut waits, &mut context);
    while let Some(output) = state::with(|state| state.registry.poll(scope, now())).flatten() {
        match output {
            Output::Send { flight, transport, timeout_ms, keepalive, request } => {
                let host = host.clone();
                let fetch = async move {
                    fetch::send(&host, transport, timeout_ms, keepalive, request).await
                };
                waits.fetches.push((flight, Box::pin(fetch)));
                land(&mut waits, &mut context);
            }
            Output::Gone { scope, ids } => {
                // Its waits end with it, and its promise, which nobody may touch here, does not.
                state::with(|state| state.drivers.remove(scope));
                let _ = host.gone(numbers(ids));
            }
            other => tell(other, &host),
        }
    }
    rest(scope, waits, &mut context);
}

/// Hears of the requests that were answered.
fn land(waits: &mut Waits, context: &mut Context<'_>) {
    let mut place = 0;
    while let Some((flight, fetch)) = waits.fetches.get_mut(place) {
        match fetch.as_mut().poll(context) {
            Poll::Ready(answer) => {
                state::with(|state| state.registry.answered(*flight, &answer, now()));
                drop(waits.fetches.swap_remove(place));
            }
            Poll::Pending => place += 1,
        }
    }
}

/// Waits until the loop is to look again, or ends it where all of its scope has ended.
fn rest(scope: u64, mut waits: Waits, context: &mut Context<'_>) {
    let at = state::with(|state| {
        let registry = &state.registry;
        registry.is_busy(scope).then(|| registry.wake_at(scope, now()))
    });
    waits.sleep = None;
    let goes_on = match at.flatten() {
        None => false,
        Some(None) => true,
        Some(Some(at)) => {
            let ms = at.saturating_sub(now().mono_ms).min(i32::MAX as u64);
            waits.sleep = Sleep::start(ms).map(Box::pin);
            // Without timers, what waits goes out with the next call that comes.
            waits.sleep.is_some()
        }
    };
    if let Some(sleep) = &mut waits.sleep {
        let _ = sleep.as_mut().poll(context);
    }
    if goes_on {
        state::with(|state| {
            if let Some(driver) = state.drivers.get(scope) {
                driver.waits = waits;
            }
        });
        return;
    }
    let ended = state::with(|state| state.drivers.remove(scope)).flatten();
    if let Some(end) = waits.end {
        let _ = end.call0(&JsValue::UNDEFINED);
    }
    // Something was given while it ran.
    if ended.is_some_and(|driver| driver.is_woken) {
        wake(scope);
    }
}

fn tell(output: Output, host: &Host) {
    // A host that throws has nobody else to tell; the core goes on.
    let _ = match output {
        Output::Settled { ids, outcome } => host.settle(numbers(ids), &outcome.to_json()),
        Output::Dropped { tracer, json } => host.dropped(tracer as f64, &json),
        Output::Adopted { tracer, session_id } => host.adopted(tracer as f64, session_id.as_str()),
        Output::Idle { tracer } => host.idle(tracer as f64),
        Output::Keep { id, json } => host.keep(id as f64, &json),
        Output::Forget { ids } => host.forget(ids.into_iter().map(|id| id as f64).collect()),
        Output::Log(line) => host.log(line.level.name(), &line.message),
        Output::Send { .. } | Output::Gone { .. } => Ok(()),
    };
}

fn numbers(ids: Vec<u64>) -> Vec<f64> {
    ids.into_iter().map(|id| id as f64).collect()
}
