//! An executor that runs the futures of each scope separately.
//!
//! On Workers a scope is a request, because nothing of one request (a promise, a timer, a fetch) may be continued in
//! another. So a scope's futures are only polled in a microtask that something of the same scope scheduled: the call
//! that spawned them, a promise they await, or a timer they started. The `spawn_local` of wasm-bindgen-futures has one
//! queue for all requests of an isolate, so that a request that is torn down leaves the futures of others unpolled.
//!
//! Nothing is borrowed while a future is polled.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use wasm_bindgen::prelude::*;

use super::runtime;

type Task = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Default)]
struct ScopeTasks {
    /// Whether a microtask that polls the scope's futures is scheduled.
    is_woken: bool,
    tasks: Vec<Task>,
}

thread_local! {
    static SCOPES: RefCell<HashMap<u32, ScopeTasks>> = RefCell::default();
}

/// Adds a future to a scope. It is polled in a microtask of the current turn, not during this call.
pub fn spawn(scope: u32, future: impl Future<Output = ()> + 'static) {
    SCOPES.with_borrow_mut(|scopes| {
        scopes.entry(scope).or_default().tasks.push(Box::pin(future));
    });
    wake(scope);
}

/// Drops the futures of a scope whose request was torn down.
pub fn forget(scope: u32) {
    // Binding the value lets the futures be dropped after the borrow has ended.
    let _dropped = SCOPES.with_borrow_mut(|scopes| scopes.remove(&scope));
}

/// Polls the futures of a scope. The host calls this in the microtask that `host.wakeScope` requests.
#[wasm_bindgen(js_name = runScope)]
pub fn run(scope: u32) {
    let tasks = SCOPES.with_borrow_mut(|scopes| {
        let scope = scopes.get_mut(&scope)?;
        scope.is_woken = false;
        Some(std::mem::take(&mut scope.tasks))
    });
    let Some(mut tasks) = tasks else { return };
    let waker = Waker::from(Arc::new(WakeScope(scope)));
    let mut context = Context::from_waker(&waker);
    tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
    let _dropped = SCOPES.with_borrow_mut(|scopes| {
        let Some(own) = scopes.get_mut(&scope) else { return Some(tasks) };
        // Futures that were spawned meanwhile are appended.
        tasks.append(&mut own.tasks);
        own.tasks = tasks;
        if own.tasks.is_empty() {
            scopes.remove(&scope);
        }
        None
    });
}

fn wake(scope: u32) {
    let is_due = SCOPES.with_borrow_mut(|scopes| {
        scopes.get_mut(&scope).is_some_and(|scope| !std::mem::replace(&mut scope.is_woken, true))
    });
    if is_due {
        runtime::wake_scope(scope);
    }
}

struct WakeScope(u32);

impl Wake for WakeScope {
    fn wake(self: Arc<Self>) {
        wake(self.0);
    }
}
