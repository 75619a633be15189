//! What the database is told: the flags of its Java machine and its two configuration files.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use super::{CommitLog, Door};

/// Where clients connect.
pub const CQL_PORT: u16 = 9042;
/// Where nodes of one cluster meet; a node binds it even when it is alone.
pub const STORAGE_PORT: u16 = 7000;

/// Where an operator's tools connect.
pub const JMX_PORT: u16 = 7199;

/// Flags that hold for every server. Paths are relative to its folder, in which it runs.
const FLAGS: &[&str] = &[
    // The quick compiler only: a third of the CPU to boot, and no slower in the minute a test lasts.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    // As root it locks in memory what is mapped at its start: so that is little.
    "-Xms64m",
    "-Xmx512m",
    "-XX:MaxDirectMemorySize=256m",
    "-Xss512k",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dcassandra.config=file:conf/cassandra.yaml",
    "-Dlogback.configurationFile=file:conf/logback.xml",
    "-Djava.net.preferIPv4Stack=true",
    // It is alone: there is nobody to wait for.
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=100",
    // The first user of a guarded one, else after 10 s.
    "-Dcassandra.superuser_setup_delay_ms=0",
    // What a measurement of 1.2 s at every start would find.
    "-Dcassandra.memtable.row_overhead_size=181",
    // No fsync: what is written survives the death of the process, and no test cuts the power.
    "-Dcassandra.skip_sync=true",
    // Java 18 and later refuse the security manager it installs unless told so.
    "-Djava.security.manager=allow",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
];

/// Settings that hold for every server. An unknown key is fatal.
const SETTINGS: &str = "\
cluster_name: tidegate-test
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
num_tokens: 1
auto_bootstrap: false
# Else TRUNCATE and DROP leave snapshots.
auto_snapshot: false
# A mutation is at most half a segment.
commitlog_segment_size: 8MiB
commitlog_total_space: 128MiB
memtable_heap_space: 64MiB
memtable_offheap_space: 64MiB
file_cache_size: 32MiB
networking_cache_size: 16MiB
key_cache_size: 8MiB
concurrent_reads: 8
# In batch mode a write holds its thread until it is in the commit log.
concurrent_writes: 64
concurrent_compactors: 1
paxos_variant: v2
";

/// What a guarded server is told besides.
const GUARD: &str = "\
authenticator: PasswordAuthenticator
client_encryption_options:
  enabled: true
  optional: false
  keystore: conf/keys.p12
  keystore_password: guarded
  store_type: PKCS12
";

const LOGBACK: &str = r#"<configuration>
  <appender name="file" class="ch.qos.logback.core.FileAppender">
    <file>system.log</file>
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %logger{20} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="file"/></root>
</configuration>
"#;

/// The certificate of a guarded server, below its folder.
pub const CERTIFICATE: &str = "conf/node.pem";

/// Lays out a server's folder.
pub fn write(folder: &Path, address: Ipv4Addr, commit_log: CommitLog, door: Door) -> io::Result<()> {
    for name in ["conf", "data", "tmp"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let sync = match commit_log {
        CommitLog::Periodic => "commitlog_sync: periodic\ncommitlog_sync_period: 10s",
        CommitLog::Batch => "commitlog_sync: batch",
    };
    let own = format!(
        "{sync}\nlisten_address: {address}\nrpc_address: {address}\nstorage_port: {STORAGE_PORT}\n\
         native_transport_port: {CQL_PORT}\nseed_provider:\n  \
         - class_name: org.apache.cassandra.locator.SimpleSeedProvider\n    parameters: [{{seeds: \"{address}\"}}]\n"
    );
    let guard = match door {
        Door::Open => "",
        Door::Guarded => {
            certificate(folder, address)?;
            GUARD
        }
    };
    fs::write(folder.join("conf/cassandra.yaml"), format!("{SETTINGS}{own}{guard}"))?;
    fs::write(folder.join("conf/logback.xml"), LOGBACK)
}

/// Makes a key and a certificate for the address, which nobody signed but itself.
fn certificate(folder: &Path, address: Ipv4Addr) -> io::Result<()> {
    let conf = folder.join("conf");
    let keytool = |arguments: &[&str]| {
        let mut keytool = Command::new("keytool");
        keytool.current_dir(&conf).args(arguments).args([
            "-alias",
            "node",
            "-keystore",
            "keys.p12",
            "-storepass",
            "guarded",
        ]);
        let done = keytool.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if done.success() { Ok(()) } else { Err(io::Error::other(format!("keytool: {done}"))) }
    };
    let name = format!("san=ip:{address}");
    keytool(&["-genkeypair", "-keyalg", "EC", "-dname", "CN=node", "-storetype", "PKCS12", "-ext", &name])?;
    keytool(&["-exportcert", "-rfc", "-file", "node.pem"])
}

/// The arguments to `java` that run the server of a folder, at an address, out of the jars in another folder.
pub fn arguments(folder: &Path, address: Ipv4Addr, jars: &Path, commit_log: CommitLog) -> Vec<String> {
    let mut arguments: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
    let jmx = "-Dcom.sun.management.jmxremote";
    arguments.extend([
        format!("{jmx}.host={address}"),
        format!("{jmx}.port={JMX_PORT}"),
        format!("{jmx}.rmi.port={JMX_PORT}"),
        format!("{jmx}.authenticate=false"),
        format!("{jmx}.ssl=false"),
        format!("-Djava.rmi.server.hostname={address}"),
    ]);
    if matches!(commit_log, CommitLog::Periodic) {
        // Schema tables are not flushed at every change, which is three times as quick. They are then in the commit
        // log only, and that is read after the schema is: a start after a kill knows no keyspace.
        arguments.push("-Dcassandra.unsafesystem=true".to_owned());
    }
    // These two are absolute: native code is loaded from the one, and the other names every data file.
    arguments.push(format!("-Djava.io.tmpdir={}", folder.join("tmp").display()));
    arguments.push(format!("-Dcassandra.storagedir={}", folder.join("data").display()));
    if let Some(agent) = memory_agent(jars) {
        arguments.push(format!("-javaagent:{agent}"));
    }
    arguments.extend(["-cp".to_owned(), format!("{}/*", jars.display())]);
    arguments.push("org.apache.cassandra.service.CassandraDaemon".to_owned());
    arguments
}

/// The words of the shell that run the operator's tool, with the jars in `CLASSPATH`.
pub fn nodetool(java: &Path) -> String {
    let opened = FLAGS.iter().filter(|flag| flag.starts_with("--add-opens")).copied().collect::<Vec<_>>().join(" ");
    format!("{} {opened} org.apache.cassandra.tools.NodeTool", java.display())
}

/// The jar that tells the size of objects; the boot is 0.4 s slower without.
fn memory_agent(jars: &Path) -> Option<String> {
    let mut files = fs::read_dir(jars).ok()?.flatten().map(|file| file.path());
    let agent = files.find(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("jamm-")))?;
    Some(agent.display().to_string())
}
