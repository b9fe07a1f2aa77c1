//! Log lines and their levels.

use super::policy::REMEMBERED_LINES;

/// A log level. Levels are ordered: a tracer that logs at `Warn` also logs at `Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing is logged.
    Silent,
    /// Data is lost, and the application or its configuration has to be changed.
    Error,
    /// Something was left out or will not work as intended.
    Warn,
    /// Rare events of normal operation.
    Info,
    /// Everything is logged.
    Debug,
}

impl Level {
    /// The level called `name`, as in `logLevel`.
    pub fn named(name: &str) -> Option<Level> {
        Some(match name {
            "silent" => Level::Silent,
            "error" => Level::Error,
            "warn" => Level::Warn,
            "info" => Level::Info,
            "debug" => Level::Debug,
            _ => return None,
        })
    }

    /// The name that `console` and `logLevel` use.
    pub fn name(self) -> &'static str {
        match self {
            Level::Silent => "silent",
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// One line for the log. It never contains a key, a ticket or enriched data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The level it is logged at.
    pub level: Level,
    /// What is wrong, and what to do instead.
    pub message: String,
}

/// The lines that were logged lately, because each is logged once.
#[derive(Debug, Default)]
pub struct LoggedLines(Vec<String>);

impl LoggedLines {
    /// Adds `line`. Returns whether it was not logged lately.
    pub fn add(&mut self, line: &Line) -> bool {
        if self.0.contains(&line.message) {
            return false;
        }
        if self.0.len() >= REMEMBERED_LINES {
            self.0.clear();
        }
        self.0.push(line.message.clone());
        true
    }

    /// Whether one of them ends with `reason`.
    pub fn ends_any_with(&self, reason: &str) -> bool {
        self.0.iter().any(|message| message.ends_with(reason))
    }
}

/// Adds a line at [`Level::Error`].
pub fn error(log: &mut Vec<Line>, message: impl Into<String>) {
    log.push(Line::error(message));
}

/// Adds a line at [`Level::Warn`].
pub fn warn(log: &mut Vec<Line>, message: impl Into<String>) {
    log.push(Line::warn(message));
}

impl Line {
    /// A line at [`Level::Error`].
    pub fn error(message: impl Into<String>) -> Line {
        Line { level: Level::Error, message: message.into() }
    }

    /// A line at [`Level::Warn`].
    pub fn warn(message: impl Into<String>) -> Line {
        Line { level: Level::Warn, message: message.into() }
    }
}
