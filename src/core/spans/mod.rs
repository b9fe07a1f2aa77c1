//! Spans of a session: what OpenTelemetry's spans are told about it.

pub mod attributes;
pub mod exporter;
pub mod otlp;
