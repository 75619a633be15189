//! The rules themselves.

use super::source::Source;

/// The rooms from top to bottom: a module imports only modules below its own.
const ROOMS: [&str; 22] = [
    "main",
    "app",
    "http",
    "ingress",
    "push",
    "broadcasts",
    "contacts",
    "conversations",
    "numbers",
    "limits",
    "workspaces",
    "shards",
    "store",
    "providers",
    "broken",
    "channels",
    "actors",
    "telemetry",
    "config",
    "clock",
    "domain",
    "packed",
];

/// Words that must not stand in a room, and why.
struct Absence {
    word: &'static str,
    rooms: fn(&Source) -> bool,
    why: &'static str,
}

const ABSENCES: [Absence; 7] = [
    Absence { word: "async ", rooms: is_pure, why: "the core and the channels never wait" },
    Absence { word: "tokio", rooms: is_pure, why: "the core and the channels do no I/O" },
    Absence { word: "std::fs", rooms: is_pure, why: "the core and the channels do no I/O" },
    Absence { word: "std::net", rooms: is_pure, why: "the core and the channels do no I/O" },
    Absence { word: "SystemTime", rooms: |file| file.room() != "clock", why: "time comes from the clock" },
    Absence { word: "actix", rooms: is_without_actors, why: "actors only carry" },
    Absence { word: "crate::store", rooms: is_above_shards, why: "nobody above the shards touches the store" },
];

fn is_pure(file: &Source) -> bool {
    matches!(file.room(), "domain" | "channels")
}

fn is_without_actors(file: &Source) -> bool {
    match file.room() {
        "actors" | "shards" | "push" | "http" | "app" | "main" => false,
        // The sandbox is an HTTP server of its own.
        "providers" => !file.path.contains("/sandbox"),
        // A feature's actor stands in files of that name.
        _ => !file.path.ends_with("/actor.rs") && !file.path.contains("/actor/"),
    }
}

fn is_above_shards(file: &Source) -> bool {
    let rank = |room: &str| ROOMS.iter().position(|known| *known == room);
    // `app` alone names a concrete engine.
    !matches!(file.room(), "app" | "main") && rank(file.room()) < rank("shards")
}

/// One place where a rule is broken.
pub(super) struct Breach {
    path: String,
    line: usize,
    what: String,
}

impl Breach {
    /// As it is shown.
    pub(super) fn line(&self) -> String {
        format!("{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Every import that does not go down.
pub(super) fn imports(file: &Source) -> Vec<Breach> {
    let Some(own) = ROOMS.iter().position(|room| *room == file.room()) else {
        let known = file.room() == "lib";
        let what = format!("the room `{}` has no place in the order", file.room());
        return if known { Vec::new() } else { vec![Breach { path: file.path.clone(), line: 1, what }] };
    };
    let mut breaches = Vec::new();
    for (number, line) in file.code() {
        for path in line.split("crate::").skip(1) {
            let room: String = path.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
            if ROOMS.iter().position(|known| *known == room).is_some_and(|rank| rank < own) {
                let what = format!("`{}` imports upwards, from `{room}`", file.room());
                breaches.push(Breach { path: file.path.clone(), line: number, what });
            }
        }
    }
    breaches
}

/// Every word that must not stand where it stands.
pub(super) fn absences(file: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for absence in ABSENCES.iter().filter(|absence| (absence.rooms)(file)) {
        for (number, line) in file.code().filter(|(_, line)| line.contains(absence.word)) {
            let what = format!("`{}`: {} ({})", absence.word.trim(), absence.why, line.trim());
            breaches.push(Breach { path: file.path.clone(), line: number, what });
        }
    }
    breaches
}
