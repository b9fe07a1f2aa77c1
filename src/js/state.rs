//! The state of the module, which is borrowed only for a moment, never across a call to JavaScript.

use std::cell::{Cell, RefCell, RefMut};

#[cfg(feature = "reading")]
use super::memory;
use crate::core::registry::Registry;

// Each instance of the module has one thread and one registry, which lives as long as the instance.
thread_local! {
    static STATE: Cell<Option<&'static RefCell<Registry>>> = const { Cell::new(None) };
}

/// Sets the state of a fresh instance.
pub fn set(registry: Registry) {
    STATE.set(Some(Box::leak(Box::new(RefCell::new(registry)))));
}

/// Calls `work` with the state; `None` if `connect` was not called.
pub fn with<T>(work: impl FnOnce(&mut Registry) -> T) -> Option<T> {
    borrowed().map(|mut registry| work(&mut registry))
}

/// Not part of [`with`], which is compiled once for every use.
#[inline(never)]
fn borrowed() -> Option<RefMut<'static, Registry>> {
    // A page's queue is so small that its memory may grow page by page.
    #[cfg(feature = "reading")]
    memory::grow_ahead();
    STATE.get().map(RefCell::borrow_mut)
}
