//! Waiting for a time, as a future.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use wasm_bindgen::prelude::*;

use super::runtime;

/// Is done after some milliseconds. The runtime's timer is cleared when nobody waits any more.
pub struct Sleep {
    id: JsValue,
    state: Rc<State>,
    /// Held for as long as the runtime may call it.
    _handler: Closure<dyn FnMut()>,
}

#[derive(Default)]
struct State {
    is_over: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl State {
    fn wake(&self) {
        let waker = self.waker.take();
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_over.get() {
            return Poll::Ready(());
        }
        self.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Sleep {
    /// Starts to wait; nothing where the runtime allows no timer, as in a Worker's global scope.
    pub fn start(ms: u64) -> Option<Sleep> {
        let state = Rc::<State>::default();
        let handler = Closure::new({
            let state = state.clone();
            move || {
                state.is_over.set(true);
                state.wake();
            }
        });
        // Longer is none to timers.
        let ms = ms.min(i32::MAX as u64) as f64;
        let id = runtime::start_timer(handler.as_ref(), ms).ok()?;
        Some(Sleep { id, state, _handler: handler })
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.state.poll(context)
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if !self.state.is_over.get() {
            runtime::clear_timer(&self.id);
        }
    }
}

/// What several steps have to be over by together. Where there are no timers, they are waited for without end.
pub struct Deadline(Option<Sleep>);

impl Deadline {
    /// Begins now.
    pub fn after(ms: u64) -> Deadline {
        Deadline::in_time(ms).unwrap_or(Deadline(None))
    }

    /// Begins now; nothing where the runtime allows no timer.
    pub fn in_time(ms: u64) -> Option<Deadline> {
        Sleep::start(ms).map(|sleep| Deadline(Some(sleep)))
    }

    /// What `step` comes to, or nothing where the time is over first.
    pub async fn wait_for<T>(&mut self, step: impl Future<Output = T>) -> Option<T> {
        let mut step = pin!(step);
        poll_fn(|context| {
            if let Poll::Ready(result) = step.as_mut().poll(context) {
                return Poll::Ready(Some(result));
            }
            match self.0.as_mut().map(|sleep| Pin::new(sleep).poll(context)) {
                Some(Poll::Ready(())) => Poll::Ready(None),
                _ => Poll::Pending,
            }
        })
        .await
    }
}

/// Tells the future that waits for it that there is something to do. Once given, it stays so until it is waited for.
#[derive(Clone, Default)]
pub struct Signal(Rc<State>);

impl Signal {
    /// Wakes who waits, or who will.
    pub fn give(&self) {
        self.0.is_over.set(true);
        self.0.wake();
    }

    /// Whether it was given and nobody has waited for it.
    #[cfg(feature = "otel")]
    pub fn is_given(&self) -> bool {
        self.0.is_over.get()
    }

    /// Is done when it is given.
    pub async fn wait(&self) {
        poll_fn(|context| self.0.poll(context)).await;
        self.0.is_over.set(false);
    }
}
