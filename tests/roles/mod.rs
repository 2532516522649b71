//! Both roles, and what goes with each.
#![allow(dead_code)]

use ws_proto::{Outbox, Role};

pub(crate) const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// The role of this one's peer.
pub(crate) fn peer_of(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// An outbox for the role, whose masking keys are always the same.
pub(crate) fn outbox(role: Role) -> Outbox {
    match role {
        Role::Client => Outbox::client([7; 16]),
        Role::Server => Outbox::new(),
    }
}
