//! Session enrichment for LLM applications on the edge.
