//! The spans of a session: their attributes and their export.

pub mod attributes;
pub mod exporter;
pub mod otlp;
