//! What the database needs of the machine: a Java that can run it, and its jars, which Maven fetches once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

const POM: &str = include_str!("pom.xml");
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";
/// The first Java of the range runs it; the last is the last one that lets it install its security manager.
const JAVA: std::ops::RangeInclusive<u32> = 17..=23;

/// A Java that can run the database: that of `JAVA_HOME`, or else the one in the path.
pub fn java() -> Result<PathBuf, String> {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let mut seen = Vec::new();
    for java in home.into_iter().chain([PathBuf::from("java")]) {
        match version(&java) {
            Some(version) if JAVA.contains(&version) => return Ok(java),
            Some(version) => seen.push(format!("{} is {version}", java.display())),
            None => seen.push(format!("{} does not run", java.display())),
        }
    }
    Err(format!("Cassandra needs Java {} to {}: {}", JAVA.start(), JAVA.end(), seen.join(", ")))
}

/// The 17 of `openjdk version "17.0.15" 2025-04-15`.
fn version(java: &Path) -> Option<u32> {
    let output = Command::new(java).arg("-version").stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, version) = said.split_once("version \"")?;
    version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The folder of the jars below `root`. It has its name only once it is complete.
pub fn folder(root: &Path) -> PathBuf {
    root.join(format!("lib-{:016x}", hash(POM.as_bytes())))
}

/// Whether Maven answers.
pub fn maven() -> bool {
    Command::new("mvn").arg("--version").stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

/// The folder of the jars, filled if it is not there yet.
pub fn ready(root: &Path) -> Result<PathBuf, String> {
    let folder = folder(root);
    if folder.is_dir() {
        return Ok(folder);
    }
    // One process fetches, the others wait: Maven's own repository is not made for two at once.
    let lock = File::create(root.join("lib.lock")).map_err(|error| format!("the lock of the jars: {error}"))?;
    lock.lock().map_err(|error| format!("the lock of the jars: {error}"))?;
    if !folder.is_dir() {
        let unfinished = root.join(format!("unfinished-lib-{}", process::id()));
        let fetched = fetch(&unfinished).and_then(|()| {
            fs::rename(&unfinished, &folder).map_err(|error| format!("the jars could not be put in place: {error}"))
        });
        if fetched.is_err() {
            // It may not even exist.
            let _ = fs::remove_dir_all(&unfinished);
        }
        fetched?;
    }
    Ok(folder)
}

fn fetch(into: &Path) -> Result<(), String> {
    let pom = into.join("pom.xml");
    fs::create_dir_all(into)
        .and_then(|()| fs::write(&pom, POM))
        .map_err(|error| format!("the folder of the jars: {error}"))?;
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "-f"]).arg(&pom).args([COPY, "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", into.display()));
    let output = maven.stdin(Stdio::null()).output().map_err(|error| format!("Maven does not run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Err(format!("Maven could not fetch Cassandra ({}):\n{}", output.status, super::last_lines(&said, 12)))
}

/// FNV-1a: the same in every build, which the standard library's hasher does not promise.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
