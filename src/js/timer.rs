//! Futures that wait for a time or a signal.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use wasm_bindgen::prelude::*;

use super::runtime;

/// A future that completes after some milliseconds. Dropping it clears the runtime's timer.
pub struct Sleep {
    id: JsValue,
    state: Rc<SignalState>,
    /// Kept alive for as long as the runtime may call it.
    _handler: Closure<dyn FnMut()>,
}

#[derive(Default)]
struct SignalState {
    is_set: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl SignalState {
    fn wake(&self) {
        let waker = self.waker.take();
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_set.get() {
            return Poll::Ready(());
        }
        self.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Sleep {
    /// Starts a timer; `None` if the runtime allows no timer, as in a Worker's global scope.
    pub fn start(ms: u64) -> Option<Sleep> {
        let state = Rc::<SignalState>::default();
        let handler = Closure::new({
            let state = state.clone();
            move || {
                state.is_set.set(true);
                state.wake();
            }
        });
        // A runtime's timer fires at once if its time is longer.
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
        if !self.state.is_set.get() {
            runtime::clear_timer(&self.id);
        }
    }
}

/// A deadline that several steps share. If the runtime allows no timer, there is no limit.
pub struct Deadline(Option<Sleep>);

impl Deadline {
    /// A deadline in `ms` milliseconds.
    pub fn after(ms: u64) -> Deadline {
        Deadline::try_after(ms).unwrap_or(Deadline(None))
    }

    /// A deadline in `ms` milliseconds; `None` if the runtime allows no timer.
    pub fn try_after(ms: u64) -> Option<Deadline> {
        Sleep::start(ms).map(|sleep| Deadline(Some(sleep)))
    }

    /// The result of `step`; `None` if the deadline passes first.
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

/// A signal that wakes the future waiting for it. Once raised, it stays raised until a future has waited for it.
#[derive(Clone, Default)]
pub struct Signal(Rc<SignalState>);

impl Signal {
    /// Wakes the future that waits, or the next one that will.
    pub fn raise(&self) {
        self.0.is_set.set(true);
        self.0.wake();
    }

    /// Whether it was raised and no future has waited for it since.
    #[cfg(feature = "otel")]
    pub fn is_raised(&self) -> bool {
        self.0.is_set.get()
    }

    /// Completes when the signal is raised, and resets it.
    pub async fn wait(&self) {
        poll_fn(|context| self.0.poll(context)).await;
        self.0.is_set.set(false);
    }
}
