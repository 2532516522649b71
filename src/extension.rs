//! Extension negotiation (RFC 6455 §9).
