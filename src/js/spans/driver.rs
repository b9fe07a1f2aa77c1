//! What keeps spans moving: one future for each exporter and request scope that has any, which lasts until nothing of
//! both is left, and one for each request on its way. A scope is a request on Workers, which its `waitUntil` holds alive.

use std::cell::RefCell;
use std::collections::HashMap;

use web_sys::RequestInit;

use super::host;
use super::state;
use crate::core::spans::exporter::Next;
use crate::core::wire::Request;
use crate::js::clock::now;
use crate::js::executor;
use crate::js::fetch;
use crate::js::timer::{Deadline, Signal};

/// Which exporter's, and in which request scope.
type Key = (u64, u64);

#[derive(Default)]
struct Loops {
    /// The number of each, which is its scope on the executor, and how it is told to look again.
    running: HashMap<Key, (u32, Signal)>,
    last: u32,
}

thread_local! {
    static LOOPS: RefCell<Loops> = RefCell::default();
}

/// Has the exporter looked after in `scope`, in a microtask of the current turn.
pub fn look(exporter: u64, scope: u64) {
    let key = (exporter, scope);
    let running = LOOPS.with_borrow(|loops| loops.running.get(&key).map(|(_, it)| it.clone()));
    if let Some(signal) = running {
        return signal.give();
    }
    forget_lost_loops();
    let signal = Signal::default();
    let number = LOOPS.with_borrow_mut(|loops| {
        loops.last = loops.last.wrapping_add(1);
        loops.running.insert(key, (loops.last, signal.clone()));
        loops.last
    });
    host::begin(number, scope as f64);
    executor::spawn(number, async move {
        run(exporter, scope, number, &signal).await;
        LOOPS.with_borrow_mut(|loops| loops.running.remove(&key));
        host::rest(number);
        // Something was given while the last of it was told.
        if signal.is_given() {
            look(exporter, scope);
        }
    });
}

async fn run(exporter: u64, scope: u64, number: u32, signal: &Signal) {
    while let Some(next) = state::with(exporter, |it| it.next(scope, now())) {
        match next {
            Next::Send { flight, transport, timeout_ms, request } => {
                let signal = signal.clone();
                executor::spawn(number, async move {
                    send(exporter, flight, transport, timeout_ms, request).await;
                    signal.give();
                });
            }
            Next::Ended { call, why } => host::settle(exporter as f64, call as f64, why),
            Next::Log(line) => host::log(line.level.name(), &line.message),
            Next::Wait(None) => signal.wait().await,
            Next::Wait(Some(ms)) => match Deadline::in_time(ms) {
                Some(mut deadline) => drop(deadline.wait_for(signal.wait()).await),
                // Where the runtime allows no timer nothing can wait.
                None => drop(state::with(exporter, |it| it.no_timer(scope))),
            },
            Next::Rest => return state::rested(exporter),
        }
    }
}

async fn send(exporter: u64, flight: u64, transport: u32, timeout_ms: u64, request: Request) {
    let ask = |url: &str, init: &RequestInit| host::fetch(transport, url, init);
    let answer = fetch::send(request, timeout_ms, ask).await.into();
    state::with(exporter, |it| it.answered(flight, &answer, now()));
}

/// The runtime ends a request together with its timers, and tells nobody: what is left of its loops is let go of when
/// the exporter has nothing of it any more.
fn forget_lost_loops() {
    let lost: Vec<(Key, u32)> = LOOPS.with_borrow(|loops| {
        let loops = loops.running.iter().map(|(key, (number, _))| (*key, *number));
        loops.filter(|((exporter, scope), _)| !state::has_work(*exporter, *scope)).collect()
    });
    for (key, number) in lost {
        LOOPS.with_borrow_mut(|loops| loops.running.remove(&key));
        executor::forget(number);
        host::left(number);
    }
}
