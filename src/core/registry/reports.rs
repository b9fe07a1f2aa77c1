//! What the shell is to be told: actions that any scope may perform, log lines, and which tracers have work.

use std::collections::VecDeque;

use crate::core::log::{Level, Line, LoggedLines};
use crate::core::outcome::Output;

/// The reports that were not made yet, the first one next.
#[derive(Debug, Default)]
pub(super) struct Reports {
    outputs: VecDeque<Output>,
    logged: LoggedLines,
    /// Tracers that got work, which the shell has not been told yet.
    newly_busy: VecDeque<u64>,
    /// Tracers that may have no more work. The shell is told after all outputs, because some outputs need the options
    /// of a tracer that stay in JavaScript.
    maybe_idle: VecDeque<u64>,
}

impl Reports {
    /// Adds an action.
    pub(super) fn add(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Removes and returns the next action.
    pub(super) fn next(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Logs `line` once, if `level` includes it. An application that makes a tracer for each request would otherwise
    /// be told the same each time.
    pub(super) fn log(&mut self, level: Level, line: Line) {
        if line.level <= level && self.logged.add(&line) {
            self.add(Output::Log(line));
        }
    }

    /// Whether a line was logged lately that gives this reason.
    pub(super) fn has_logged(&self, reason: &str) -> bool {
        self.logged.ends_any_with(reason)
    }

    /// Adds a tracer that got work.
    pub(super) fn add_busy(&mut self, tracer: u64) {
        self.newly_busy.push_back(tracer);
    }

    /// Removes and returns the next tracer that got work.
    pub(super) fn next_busy(&mut self) -> Option<u64> {
        self.newly_busy.pop_front()
    }

    /// Adds a tracer that may have no more work.
    pub(super) fn add_idle(&mut self, tracer: u64) {
        self.maybe_idle.push_back(tracer);
    }

    /// Removes and returns the next tracer that may have no more work.
    pub(super) fn next_idle(&mut self) -> Option<u64> {
        self.maybe_idle.pop_front()
    }
}
