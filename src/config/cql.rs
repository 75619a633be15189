//! `[cql]`: the database behind `store.engine = "cql"`.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::SectionReader;
use crate::domain::secret::Secret;

/// The database.
#[derive(Clone)]
pub struct Cql {
    /// `host:port` of some of its nodes.
    pub nodes: Vec<String>,
    /// The keyspace of rows; the one of conditions has `_meta` at its end.
    pub keyspace: String,
    /// The datacenter whose nodes are asked, and whose quorum counts; none where there is one.
    pub datacenter: Option<String>,
    /// Copies of each row, in keyspaces that `tidegate migrate` makes.
    pub replication_factor: u16,
    /// Who we are; none where the database does not ask.
    pub user: Option<String>,
    /// What proves it.
    pub password: Secret<String>,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// Certificates (PEM) that are trusted instead of the public ones.
    pub authorities: Option<PathBuf>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// Requests under way at once.
    pub requests_max: usize,
}

impl Cql {
    pub(super) fn read(mut keys: SectionReader<'_>) -> Self {
        let (millis, minute) = (Duration::from_millis(100), Duration::from_secs(60));
        let nodes: String = keys.checked("nodes", |nodes: &String| {
            let all_named = nodes.split(',').all(|node| is_node(node.trim()));
            (!all_named).then(|| "must be `host:port`, several with commas between".to_owned())
        });
        let user: String = keys.value("user");
        let datacenter: String = keys.value("datacenter");
        let authorities: String = keys.value("authorities");
        let some = |text: String| (!text.is_empty()).then_some(text);
        Self {
            nodes: nodes.split(',').map(|node| node.trim().to_owned()).collect(),
            keyspace: keys.checked("keyspace", |name: &String| {
                (!is_name(name)).then(|| "must be 1 to 40 small letters, digits and `_`, a letter first".to_owned())
            }),
            datacenter: some(datacenter),
            replication_factor: keys.within("replication_factor", 1..=9),
            password: if user.is_empty() { keys.secret_or_none("password") } else { keys.secret("password") },
            user: some(user),
            tls: keys.value("tls"),
            authorities: some(authorities).map(PathBuf::from),
            connect_timeout: keys.within("connect_timeout", millis..=minute),
            request_timeout: keys.within("request_timeout", millis..=minute),
            requests_max: keys.within("requests_max", 16..=8_192),
        }
    }
}

/// A host, a colon, a port.
fn is_node(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// A keyspace's name that needs no quotes, with room for `_meta` among CQL's 48 characters.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=40).contains(&text.len()) && text.bytes().all(fits) && text.as_bytes()[0].is_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_a_host_and_a_port() {
        assert!(is_node("10.0.0.1:9042") && is_node("db-1.example:19042") && is_node("[::1]:9042"));
        assert!(
            !is_node("10.0.0.1") && !is_node(":9042") && !is_node("host:0") && !is_node("host:port") && !is_node("")
        );
    }

    #[test]
    fn keyspaces_need_no_quotes() {
        assert!(is_name("tidegate") && is_name("t2_b"));
        for name in ["", "Tidegate", "2t", "_t", "a-b", "a b", &"a".repeat(41)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
