//! The client against servers that misbehave, one script a connection.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;

const KEPT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const CLOSED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

/// What a server does after each request of a connection; at the end of the list it closes.
type Script = &'static [Act];

#[derive(Clone, Copy)]
enum Act {
    Answer(&'static str),
    Hang,
}

/// A server that accepts as many connections as there are scripts and tells of requests and closings.
struct Server {
    addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    told: mpsc::UnboundedReceiver<String>,
}

impl Server {
    async fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (tell, told) = mpsc::unbounded_channel();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            for script in scripts {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(play(stream, script, tell.clone()));
            }
        });
        Self { addr, accepted, told }
    }

    fn url(&self) -> BaseUrl {
        BaseUrl::parse(&format!("http://{}/v25.0", self.addr)).ok().unwrap()
    }

    async fn told(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(30), self.told.recv()).await.unwrap().unwrap()
    }
}

async fn play<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, script: Script, tell: mpsc::UnboundedSender<String>) {
    for act in script {
        let mut request = String::new();
        while !request.ends_with("\"}") {
            let mut block = [0; 1_024];
            let count = stream.read(&mut block).await.unwrap();
            if count == 0 {
                return;
            }
            request.push_str(std::str::from_utf8(&block[..count]).unwrap());
        }
        let _ = tell.send(request);
        match act {
            // The client may stop reading before the end.
            Act::Answer(answer) => drop(stream.write_all(answer.as_bytes()).await),
            Act::Hang => std::future::pending().await,
        }
    }
    drop(stream);
    let _ = tell.send("closed".into());
}

fn client(connections_max: usize) -> HttpClient {
    HttpClient::new(HttpOptions { connections_max, ..HttpOptions::default() })
}

async fn call_within(client: &HttpClient, url: &BaseUrl, deadline_ms: u64) -> CallResult {
    let call = CallRequest {
        base_url: url,
        method: Method::POST,
        path: "/1/messages",
        bearer: Some(&Bearer::new(&Secret::new("t0ken".to_owned()))),
        headers: &[],
        body: Bytes::from_static(b"{\"a\":\"b\"}"),
        deadline: Some(Duration::from_millis(deadline_ms)),
    };
    client.call(call).await
}

async fn call(client: &HttpClient, url: &BaseUrl) -> CallResult {
    call_within(client, url, 30_000).await
}

#[track_caller]
fn answered(result: CallResult) -> CallAnswer {
    match result {
        CallResult::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn connections_are_kept_and_requests_are_whole() {
    let answer =
        "HTTP/1.1 400 Bad\r\nretry-after: 7\r\nX-Business-Use-Case-Usage: {\"1\":[]}\r\ncontent-length: 1\r\n\r\n!";
    let script: Script = &[Act::Answer(KEPT), Act::Answer(KEPT), Act::Answer(KEPT)];
    let mut server = Server::start(vec![script]).await;
    let (client, url) = (client(8), server.url());
    for _ in 0..3 {
        assert_eq!(answered(call(&client, &url).await).body, "ok");
        let request = server.told().await.to_lowercase();
        assert!(request.starts_with("post /v25.0/1/messages http/1.1\r\n"), "{request}");
        for header in
            [&*format!("host: {}\r\n", server.addr), "authorization: bearer t0ken\r\n", "content-length: 9\r\n"]
        {
            assert!(request.contains(header), "{request}");
        }
        assert!(request.contains("content-type: application/json\r\n"));
    }
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1);

    let server = Server::start(vec![Box::leak(Box::new([Act::Answer(answer)]))]).await;
    let refused = answered(call(&client, &server.url()).await);
    assert_eq!((refused.status, refused.retry_after), (400, Some(Duration::from_secs(7))));
    assert_eq!(refused.usage.as_deref(), Some("{\"1\":[]}"));
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_not_used() {
    // Said by the answer's header, or only by closing: then no byte of the next call is lost on it.
    for first in [CLOSED, KEPT] {
        let script: Script = Box::leak(Box::new([Act::Answer(first)]));
        for _ in 0..20 {
            let mut server = Server::start(vec![script, script]).await;
            let (client, url) = (client(8), server.url());
            answered(call(&client, &url).await);
            server.told().await;
            assert_eq!(server.told().await, "closed");
            answered(call(&client, &url).await);
            assert_eq!(server.accepted.load(Ordering::SeqCst), 2);
        }
    }
}

#[tokio::test]
async fn what_went_out_without_a_usable_answer_is_unknown_and_is_not_repeated() {
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n";
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf";
    let chunked =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1e8480\r\n{}\r\n", "x".repeat(2_000_000));
    let chunked: &str = Box::leak(chunked.into_boxed_str());
    let cases: [(&str, UnknownReason); 5] = [
        (chunked, UnknownReason::TooLarge),
        ("", UnknownReason::Closed),
        ("what is this\r\n\r\n", UnknownReason::Garbage),
        (cut, UnknownReason::Closed),
        (long, UnknownReason::TooLarge),
    ];
    for (answer, reason) in cases {
        // Also on a connection that has served before.
        let script: Script = Box::leak(Box::new([Act::Answer(KEPT), Act::Answer(answer)]));
        let mut server = Server::start(vec![script, script]).await;
        let (client, url) = (client(8), server.url());
        answered(call(&client, &url).await);
        let result = call(&client, &url).await;
        let CallResult::Unknown(seen) = result else { panic!("{answer}: {result:?}") };
        assert_eq!(seen, reason, "{answer}");
        assert_eq!(server.accepted.load(Ordering::SeqCst), 1, "{answer}");
        let told = [server.told().await, server.told().await];
        assert!(told.iter().all(|request| request.starts_with("POST")));
    }
}

#[tokio::test]
async fn a_deadline_tells_the_written_from_the_waiting() {
    let mut server = Server::start(vec![&[Act::Hang], &[Act::Answer(KEPT)]]).await;
    let (client, url) = (client(1), server.url());
    let hanging = call_within(&client, &url, 500);
    tokio::pin!(hanging);
    tokio::select! {
        result = &mut hanging => panic!("{result:?}"),
        request = server.told() => assert!(request.starts_with("POST")),
    }
    let waiting = call_within(&client, &url, 10).await;
    assert!(matches!(waiting, CallResult::NotSent(NotSentReason::Deadline)), "{waiting:?}");
    let result = hanging.await;
    assert!(matches!(result, CallResult::Unknown(UnknownReason::Deadline)), "{result:?}");
    // Its connection is gone, its place is free.
    answered(call(&client, &url).await);
}

#[tokio::test]
async fn without_a_connection_nothing_is_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let refused = call(&client(8), &BaseUrl::parse(&format!("http://{addr}")).ok().unwrap()).await;
    let expected = NotSentReason::Connect(std::io::ErrorKind::ConnectionRefused);
    assert!(matches!(refused, CallResult::NotSent(reason) if reason == expected), "{refused:?}");

    let secret = Secret::new("two\nlines".to_owned());
    let server = Server::start(vec![]).await;
    let url = server.url();
    let unwritable = CallRequest {
        base_url: &url,
        method: Method::POST,
        path: "",
        bearer: Some(&Bearer::new(&secret)),
        headers: &[],
        body: Bytes::new(),
        deadline: None,
    };
    let result = client(8).call(unwritable).await;
    assert!(matches!(result, CallResult::NotSent(NotSentReason::Unwritable)), "{result:?}");
}

#[tokio::test]
async fn connections_stay_below_the_cap() {
    let script: Script = &[Act::Answer(KEPT); 50];
    let server = Server::start(vec![script; 50]).await;
    let (client, url) = (client(3), server.url());
    let calls = (0..50).map(|_| call(&client, &url));
    for result in futures_util::future::join_all(calls).await {
        answered(result);
    }
    assert!(server.accepted.load(Ordering::SeqCst) <= 3);
}

#[tokio::test]
async fn tls_is_spoken_and_checked() {
    // Made for `localhost` with `openssl req -x509`, valid for a hundred years.
    let certificate = "MIIBkjCCATigAwIBAgIUTjnjg/yGySNE86JAioSNkZZ9/yIwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJbG9jYWxob3N0MCAX\
DTI2MTEyNTA2NDgwM1oYDzIxMjYxMTAxMDY0ODAzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATdycS+AoBmfOiQ\
PBhzwxBxFwTwKmGGvuwcir6Wvk0jHvTkTCxHsx5hdpKKkUlg1prDCvDRJS9msfWWZrKT+vFto2YwZDAdBgNVHQ4EFgQUOC+4TyRgau8V0fn/OL1Oxs0z5JYw\
HwYDVR0jBBgwFoAUOC+4TyRgau8V0fn/OL1Oxs0z5JYwFAYDVR0RBA0wC4IJbG9jYWxob3N0MAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDSAAwRQIgZQ0b\
l9IrWzzYr5r4NQIfaiL528mYmrKOzdySY8uzEkMCIQDVSvtXK3n7f0sqs0KujcE60DYOlxacTfgMERx0h9yk4A==";
    let key = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZeNSvt7DqFiOSrfaCbwIvo0oXXrk15DL8oH/54z9X+6hRANCAATdycS+\
AoBmfOiQPBhzwxBxFwTwKmGGvuwcir6Wvk0jHvTkTCxHsx5hdpKKkUlg1prDCvDRJS9msfWWZrKT+vFt";
    let decode = |text: &str| base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
    let certificate = CertificateDer::from(decode(certificate));
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(decode(key)));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, _told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(play(stream, &[Act::Answer(KEPT), Act::Answer(KEPT), Act::Answer("")], tell.clone()));
            }
        }
    });
    let url = BaseUrl::parse(&format!("https://localhost:{port}")).ok().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let trusting = HttpClient::trusting(HttpOptions::default(), roots);
    for _ in 0..2 {
        assert_eq!(answered(call(&trusting, &url).await).body, "ok");
    }
    let result = call(&trusting, &url).await;
    assert!(matches!(result, CallResult::Unknown(UnknownReason::Closed)), "{result:?}");
    let result = call(&client(8), &url).await;
    assert!(matches!(result, CallResult::NotSent(NotSentReason::Tls(_))), "{result:?}");
}
