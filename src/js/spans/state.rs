//! The module's exporters, and the one way to them: borrowed for a moment, never across a call out.

use std::cell::RefCell;

use crate::core::spans::exporter::Exporter;

#[derive(Default)]
struct State {
    exporters: Vec<(u64, Exporter)>,
    last: u64,
    /// Those that nobody refers to any more.
    closed: Vec<u64>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Keeps an exporter, and returns its number.
pub fn add(exporter: Exporter) -> u64 {
    STATE.with_borrow_mut(|state| {
        state.last += 1;
        state.exporters.push((state.last, exporter));
        state.last
    })
}

/// Works on an exporter; nothing where there is none of that number.
pub fn with<T>(number: u64, work: impl FnOnce(&mut Exporter) -> T) -> Option<T> {
    STATE.with_borrow_mut(|state| {
        state.exporters.iter_mut().find(|(it, _)| *it == number).map(|(_, it)| work(it))
    })
}

/// Whether the exporter has anything in `scope`.
pub fn has_work(number: u64, scope: u64) -> bool {
    with(number, |exporter| exporter.has_work(scope)).unwrap_or_default()
}

/// Nobody refers to an exporter any more: it is let go once all it was given has ended.
pub fn close(number: u64) {
    STATE.with_borrow_mut(|state| state.closed.push(number));
    rested(number);
}

/// Something of an exporter's has ended.
pub fn rested(number: u64) {
    STATE.with_borrow_mut(|state| {
        let is_left = |state: &State| state.exporters.iter().any(|(it, _)| *it == number);
        if state.closed.contains(&number) {
            state.exporters.retain(|(it, exporter)| *it != number || !exporter.is_idle());
            if !is_left(state) {
                state.closed.retain(|it| *it != number);
            }
        }
    });
}
