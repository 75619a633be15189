//! The scenarios that come with the program.

/// Their names, in the order in which they are told.
pub const NAMES: &[&str] = &[
    "smoke",
    "inbound-burst",
    "webhook-storm",
    "broadcast-sweep",
    "black-friday",
    "agent-monday",
    "reconnect-herd",
    "slow-readers",
    "provider-brownout",
    "node-kill",
    "restart-ready",
    "soak",
];

/// The text of one of them.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    Some(match name {
        "smoke" => include_str!("../../scenarios/smoke.toml"),
        "inbound-burst" => include_str!("../../scenarios/inbound-burst.toml"),
        "webhook-storm" => include_str!("../../scenarios/webhook-storm.toml"),
        "broadcast-sweep" => include_str!("../../scenarios/broadcast-sweep.toml"),
        "black-friday" => include_str!("../../scenarios/black-friday.toml"),
        "agent-monday" => include_str!("../../scenarios/agent-monday.toml"),
        "reconnect-herd" => include_str!("../../scenarios/reconnect-herd.toml"),
        "slow-readers" => include_str!("../../scenarios/slow-readers.toml"),
        "provider-brownout" => include_str!("../../scenarios/provider-brownout.toml"),
        "node-kill" => include_str!("../../scenarios/node-kill.toml"),
        "restart-ready" => include_str!("../../scenarios/restart-ready.toml"),
        "soak" => include_str!("../../scenarios/soak.toml"),
        _ => return None,
    })
}
