//! `loadtest listen`: an agent's socket in a terminal. Each frame is a line, each line typed is a command.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::{Instant, sleep_until};

use crate::frames;
use crate::socket::{AGENT_PATH, Socket};

/// How long what was asked last may be answered, once nothing more is typed.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// Where to listen, and as whom.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server.
    pub addr: SocketAddr,
    /// The member's token, where it is given here.
    pub token: Option<String>,
    /// Where the seed left its tokens.
    pub tokens: PathBuf,
    /// How long to listen at most, and still after nothing more is typed.
    pub listen_for: Option<Duration>,
}

impl Options {
    /// Reads the flags behind `listen`.
    ///
    /// # Errors
    /// The first that is not understood.
    pub fn read(arguments: &[String]) -> Result<Self> {
        let addr = SocketAddr::from(([127, 0, 0, 1], 8080));
        let mut options = Self { addr, token: None, tokens: "data/tokens".into(), listen_for: None };
        let mut rest = arguments.iter();
        while let Some(flag) = rest.next() {
            let value = rest.next().with_context(|| format!("`{flag}` needs a value, or does not exist"))?;
            match flag.as_str() {
                "--addr" => {
                    options.addr = value.parse().with_context(|| format!("`{value}` is no address and port"))?;
                }
                "--token" => options.token = Some(value.clone()),
                "--tokens" => options.tokens = value.into(),
                "--for" => {
                    let seconds = value.parse().with_context(|| format!("`--for {value}` is no number of seconds"))?;
                    options.listen_for = Some(Duration::from_secs(seconds));
                }
                _ => bail!("there is no `{flag}`; `loadtest help` lists what there is"),
            }
        }
        Ok(options)
    }

    /// The token: the one given, else the environment's, else the first agent's of the seed.
    ///
    /// # Errors
    /// There is none.
    pub fn token(&self, environment: Option<String>) -> Result<String> {
        if let Some(token) = self.token.clone().or(environment).filter(|token| !token.is_empty()) {
            return Ok(token);
        }
        let path = self.tokens.display();
        let text = std::fs::read_to_string(&self.tokens)
            .with_context(|| format!("no --token, no AGENT1_TOKEN, and {path} cannot be read"))?;
        let token = text.lines().find_map(|line| line.strip_prefix("AGENT1_TOKEN="));
        token.map(str::to_owned).with_context(|| format!("{path} has no AGENT1_TOKEN"))
    }
}

/// Listens until `--for` is over, or the server ends the socket. After the end of what is typed it listens on for
/// `--for`, or two seconds where there is none, so that the last answers are heard.
///
/// # Errors
/// The server does not admit the token, or ends the socket.
pub async fn run(
    options: &Options,
    token: &str,
    typed: impl AsyncRead + Unpin,
    mut show: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let mut socket = Socket::open(options.addr, AGENT_PATH, None).await?;
    socket.hello.take().iter().try_for_each(|hello| show(hello))?;
    let identify = serde_json::json!({"type": "identify", "token": token}).to_string();
    socket.stream.write_all(&frames::client_text(identify.as_bytes())).await?;
    let mut lines = BufReader::new(typed).lines();
    let mut end = options.listen_for.map(|span| Instant::now() + span);
    let (mut typing, mut read) = (true, Vec::with_capacity(16_384));
    loop {
        tokio::select! {
            count = socket.stream.read_buf(&mut read) => {
                if count? == 0 {
                    bail!("the server closed the connection");
                }
                socket.cut(&read).await?.iter().try_for_each(|text| show(text))?;
                read.clear();
            }
            line = lines.next_line(), if typing => match line? {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => socket.stream.write_all(&frames::client_text(line.as_bytes())).await?,
                None => {
                    typing = false;
                    end = end.or(Some(Instant::now() + ANSWERED_WITHIN));
                }
            },
            () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn read(line: &str) -> Result<Options> {
        Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_are_read_and_the_nearest_token_counts() {
        let options = read("--addr 127.0.0.1:9000 --for 3 --tokens /nowhere/tokens").unwrap();
        assert_eq!((options.addr.port(), options.listen_for), (9_000, Some(Duration::from_secs(3))));
        assert!(options.token(None).is_err());
        assert_eq!(options.token(Some("tgm_e".into())).unwrap(), "tgm_e");
        assert_eq!(read("--token tgm_f").unwrap().token(Some("tgm_e".into())).unwrap(), "tgm_f");
        for wrong in ["--for", "--for soon", "--addr here", "--nothing 1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let folder = std::env::temp_dir().join(format!("loadtest-listen-{}", std::process::id()));
        std::fs::write(&folder, "ADMIN_TOKEN=tgm_a\nAGENT1_TOKEN=tgm_g\n").unwrap();
        let seeded = read(&format!("--tokens {}", folder.display())).unwrap().token(None).unwrap();
        std::fs::remove_file(&folder).unwrap();
        assert_eq!(seeded, "tgm_g");
    }

    /// A server that upgrades, greets, and sends back whatever it is sent.
    async fn echo(listener: TcpListener) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await.unwrap();
        loop {
            let Ok(first) = stream.read_u8().await else { return };
            assert_eq!(first, 0x81);
            let length = usize::from(stream.read_u8().await.unwrap() & 0x7F);
            let mut masked = vec![0; 4 + length];
            stream.read_exact(&mut masked).await.unwrap();
            stream.write_all(&frames::text(&masked[4..])).await.unwrap();
        }
    }

    #[test]
    fn lines_are_said_and_frames_are_shown() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            tokio::spawn(echo(listener));
            let options = Options { addr, ..read("").unwrap() };
            let (mut heard, typed) = (Vec::new(), b"{\"type\":\"close\"}\n\n{\"type\":\"open\"}\n".as_slice());
            let ended = run(&options, "tgm_t", typed, |text| {
                heard.push(text.to_owned());
                if heard.len() == 3 { bail!("enough") } else { Ok(()) }
            });
            assert_eq!(ended.await.unwrap_err().to_string(), "enough");
            assert!(heard[0].contains("identify") && heard[0].contains("tgm_t"), "{heard:?}");
            assert_eq!(heard[1..], [r#"{"type":"close"}"#, r#"{"type":"open"}"#]);
        });
    }
}
