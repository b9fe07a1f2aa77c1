//! Waiting, as a future: the runtime's `setTimeout`, cleared when nobody waits any more.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout, catch)]
    fn set_timeout(handler: &JsValue, ms: f64) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = clearTimeout, catch)]
    fn clear_timeout(id: &JsValue) -> Result<(), JsValue>;
}

/// Done after some milliseconds.
pub struct Sleep {
    id: JsValue,
    is_over: Rc<Cell<bool>>,
    waker: Rc<RefCell<Option<Waker>>>,
    /// Held for as long as the runtime may call it.
    _handler: Closure<dyn FnMut()>,
}

impl Sleep {
    /// Starts to wait; nothing where the runtime allows no timer (a Worker's global scope).
    pub fn start(ms: u64) -> Option<Sleep> {
        let is_over = Rc::new(Cell::new(false));
        let waker = Rc::new(RefCell::new(None::<Waker>));
        let handler = Closure::new({
            let (is_over, waker) = (is_over.clone(), waker.clone());
            move || {
                is_over.set(true);
                let waker = waker.borrow_mut().take();
                waker.into_iter().for_each(Waker::wake);
            }
        });
        let id = set_timeout(handler.as_ref(), ms as f64).ok()?;
        Some(Sleep { id, is_over, waker, _handler: handler })
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_over.get() {
            return Poll::Ready(());
        }
        *self.waker.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if !self.is_over.get() {
            // Nothing to do about a runtime that cannot clear its own timer.
            let _ = clear_timeout(&self.id);
        }
    }
}
