//! The servers that Tidegate is held against: each does the least that could be called the same work.

pub mod handler;
pub mod relay;
pub mod sink;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use anyhow::Result;

/// Listens on a free port of loopback.
fn loopback() -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

/// Tells the starter a line.
fn tell(line: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Ends this process when whoever started it is gone.
fn end_with_starter() {
    std::thread::spawn(|| {
        // A closed or broken pipe both mean that the starter is gone.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}
