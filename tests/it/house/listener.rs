//! A provider that takes everything and remembers every call whole, as it came.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

/// The provider; it ends with its task's runtime.
pub(crate) struct Listener {
    pub(crate) addr: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Listener {
    /// Begins to listen.
    pub(crate) async fn begin() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = socket.local_addr().expect("an address");
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let kept = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let service = service_fn(|request| take(Arc::clone(&kept), request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { addr, calls }
    }

    /// The calls so far, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("nobody panicked").clone()
    }
}

async fn take(kept: Arc<Mutex<Vec<Call>>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let path = request.uri().path().to_owned();
    let bytes = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    let number = {
        let mut calls = kept.lock().expect("nobody panicked");
        calls.push(Call { path, authorization: header, body });
        calls.len()
    };
    let answer = json!({"messaging_product": "whatsapp", "success": true, "messages": [{"id": format!("wamid.out{number}")}]});
    Ok(Response::new(Full::new(Bytes::from(answer.to_string()))))
}
