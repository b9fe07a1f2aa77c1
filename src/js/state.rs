//! The module's state, and the one way to it: borrowed for a moment, never across a call out.

use std::cell::{Cell, RefCell, RefMut};

use crate::core::registry::Registry;

// One for each instance of the module, which has one thread; it lasts as long.
thread_local! {
    static STATE: Cell<Option<&'static RefCell<Registry>>> = const { Cell::new(None) };
}

/// Sets the state of a fresh instance.
pub fn set(registry: Registry) {
    STATE.set(Some(Box::leak(Box::new(RefCell::new(registry)))));
}

/// Works on the state; nothing where `connect` was not called.
pub fn with<T>(work: impl FnOnce(&mut Registry) -> T) -> Option<T> {
    borrowed().map(|mut registry| work(&mut registry))
}

/// Apart from [`with`], of which there is a copy for every use.
#[inline(never)]
fn borrowed() -> Option<RefMut<'static, Registry>> {
    STATE.get().map(RefCell::borrow_mut)
}
