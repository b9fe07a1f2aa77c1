//! Drives the export of spans: one future for each exporter and request scope that has spans, which lasts until all of
//! them have ended, and one for each request in flight. On Workers a scope is a request, kept alive by its `waitUntil`.

use std::cell::RefCell;
use std::collections::HashMap;

use web_sys::RequestInit;

use super::host;
use super::state;
use crate::core::spans::exporter::ExportAction;
use crate::core::wire::Request;
use crate::js::clock::now;
use crate::js::executor;
use crate::js::fetch::{self, BodyForm};
use crate::js::timer::{Deadline, Signal};

/// The exporter and the request scope of a loop.
type LoopKey = (u64, u64);

#[derive(Default)]
struct Loops {
    /// The number of each loop, which is its scope on the executor, and the signal that wakes it.
    running: HashMap<LoopKey, (u32, Signal)>,
    last: u32,
}

thread_local! {
    static LOOPS: RefCell<Loops> = RefCell::default();
}

/// Polls the exporter in `scope`, in a microtask of the current turn.
pub fn poll_exporter(exporter: u64, scope: u64) {
    let key = (exporter, scope);
    let running = LOOPS.with_borrow(|loops| loops.running.get(&key).map(|(_, it)| it.clone()));
    if let Some(signal) = running {
        return signal.raise();
    }
    forget_lost_loops();
    let signal = Signal::default();
    let number = LOOPS.with_borrow_mut(|loops| {
        loops.last = loops.last.wrapping_add(1);
        loops.running.insert(key, (loops.last, signal.clone()));
        loops.last
    });
    host::begin_loop(number, scope as f64);
    executor::spawn(number, async move {
        run(exporter, scope, number, &signal).await;
        LOOPS.with_borrow_mut(|loops| loops.running.remove(&key));
        host::end_loop(number);
        // A call was made while the last outcome was reported.
        if signal.is_raised() {
            poll_exporter(exporter, scope);
        }
    });
}

async fn run(exporter: u64, scope: u64, number: u32, signal: &Signal) {
    while let Some(next) = state::with(exporter, |it| it.next(scope, now())) {
        match next {
            ExportAction::Send { flight, transport, timeout_ms, request } => {
                let signal = signal.clone();
                executor::spawn(number, async move {
                    send(exporter, flight, transport, timeout_ms, request).await;
                    signal.raise();
                });
            }
            ExportAction::Ended { call, why } => host::settle(exporter as f64, call as f64, why),
            ExportAction::Log(line) => host::log(line.level.name(), &line.message),
            ExportAction::Wait(None) => signal.wait().await,
            ExportAction::Wait(Some(ms)) => match Deadline::try_after(ms) {
                Some(mut deadline) => drop(deadline.wait_for(signal.wait()).await),
                // If the runtime allows no timer, nothing can wait.
                None => drop(state::with(exporter, |it| it.no_timer(scope))),
            },
            ExportAction::Rest => return state::drop_if_closed(exporter),
        }
    }
}

async fn send(exporter: u64, flight: u64, transport: u32, timeout_ms: u64, request: Request) {
    let fetch_with = |url: &str, init: &RequestInit| host::fetch(transport, url, init);
    // An application's own may look into what it is given.
    let form = match transport {
        0 => BodyForm::Bytes(host::body_array(request.body.len() as u32)),
        _ => BodyForm::Text,
    };
    let answer = fetch::send(request, form, timeout_ms, fetch_with).await.into();
    state::with(exporter, |it| it.answered(flight, &answer, now()));
}

/// Forgets loops of requests that the runtime has torn down. That happens without notice, so a loop is forgotten when
/// its exporter has nothing in that scope any more.
fn forget_lost_loops() {
    let lost: Vec<(LoopKey, u32)> = LOOPS.with_borrow(|loops| {
        let loops = loops.running.iter().map(|(key, (number, _))| (*key, *number));
        loops.filter(|((exporter, scope), _)| !state::has_work(*exporter, *scope)).collect()
    });
    for (key, number) in lost {
        LOOPS.with_borrow_mut(|loops| loops.running.remove(&key));
        executor::forget(number);
        host::forget_loop(number);
    }
}
