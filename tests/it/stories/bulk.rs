//! Contacts come in by the thousand, a line each, and each line is answered.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::Request;
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::house::House;
use crate::house::http;

const PATH: &str = "/v1/contacts/bulk";

async fn import(house: &House, body: String) -> Vec<Value> {
    let bearer = format!("Bearer {}", house.token("ADMIN_TOKEN"));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
    let answer = http::call(house.addr(), "POST", PATH, &headers, body.into_bytes()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
    answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(read).collect()
}

fn read(line: &[u8]) -> Value {
    serde_json::from_slice(line).expect("a line of JSON")
}

fn person(number: u32, name: &str) -> Value {
    let address = format!("+351 93 {number:07}");
    json!({"identities": [{"channel": "whatsapp", "address": address}], "properties": {"first_name": name}})
}

fn statuses(answers: &[Value]) -> Vec<(u64, String)> {
    let status = |answer: &Value| {
        (answer["line"].as_u64().expect("a number"), answer["status"].as_str().expect("a word").to_owned())
    };
    answers.iter().map(status).collect()
}

#[actix_web::test]
async fn an_import_is_answered_line_by_line_and_again_changes_nothing() {
    let house = House::new().await;
    let body: String = (0..500).map(|number| format!("{}\n", person(number, "Ada"))).collect();
    let expected = |word: &str| (1..=500).map(|line| (line, word.to_owned())).collect::<Vec<_>>();
    let first = import(&house, body.clone()).await;
    assert_eq!(statuses(&first), expected("created"));
    let again = import(&house, body).await;
    assert_eq!(statuses(&again), expected("unchanged"));
    assert!(first.iter().zip(&again).all(|(first, again)| first["id"] == again["id"]));
    let id = first[499]["id"].as_str().expect("an id");
    let contact = house.get(&format!("/v1/contacts/{id}"), house.token("ADMIN_TOKEN")).await.expect(200);
    assert_eq!(contact["identities"][0]["address"], "351930000499");
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_line_that_is_wrong_fails_alone() {
    let house = House::new().await;
    let two = json!({"identities": [person(1, "")["identities"][0], person(2, "")["identities"][0]]});
    let lines = [
        person(1, "Ada").to_string(),
        "{\"identities\": [".to_owned(),
        String::new(),
        json!({"identities": [], "nickname": "x"}).to_string(),
        json!({"properties": {"first_name": "x".repeat(70_000)}}).to_string(),
        person(2, "Ben").to_string(),
        two.to_string(),
        person(1, "Ada Lovelace").to_string(),
    ];
    let answers = import(&house, lines.join("\n")).await;
    let told: Vec<(u64, String, Value)> = answers
        .iter()
        .zip(statuses(&answers))
        .map(|(answer, (line, status))| (line, status, answer["problem"]["code"].clone()))
        .collect();
    let failed = |line: u64, code: &str| (line, "failed".to_owned(), json!(code));
    let done = |line: u64, status: &str| (line, status.to_owned(), Value::Null);
    let expected = vec![
        done(1, "created"),
        failed(2, "malformed"),
        failed(4, "invalid"),
        failed(5, "line_too_long"),
        done(6, "created"),
        failed(7, "identity_taken"),
        done(8, "updated"),
    ];
    assert_eq!(told, expected);
    assert!(house.stop().await);
}

#[actix_web::test]
async fn a_line_is_answered_before_the_next_one_is_sent() {
    let house = House::new().await;
    let (lines, sent) = mpsc::channel::<Bytes>(1);
    let body = stream::unfold(sent, |mut sent| async move {
        sent.recv().await.map(|line| (Ok::<_, Infallible>(Frame::data(line)), sent))
    });
    let stream = TcpStream::connect(house.addr()).await.expect("the server listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    let driving = tokio::spawn(connection);
    let request = Request::post(PATH)
        .header("host", "tidegate")
        .header("authorization", format!("Bearer {}", house.token("ADMIN_TOKEN")))
        .body(BodyExt::boxed_unsync(StreamBody::new(Box::pin(body))))
        .expect("a request");
    let line = |number: u32| Bytes::from(format!("{}\n", person(number, "Ada")));
    lines.send(line(1)).await.expect("it is taken");
    let answer = sender.send_request(request).await.expect("an answer");
    // Nothing else goes by this connection, and whoever keeps it is told.
    assert_eq!(answer.headers().get("connection").map(|value| value.as_bytes()), Some(&b"close"[..]));
    let mut answers = answer.into_body().into_data_stream();
    for number in 1..=3 {
        let answer = answers.next().await.expect("an answer to the line").expect("a chunk");
        assert_eq!(statuses(&[read(answer.trim_ascii())]), [(u64::from(number), "created".to_owned())]);
        if number < 3 {
            lines.send(line(number + 1)).await.expect("it is taken");
        }
    }
    drop(lines);
    assert!(answers.next().await.is_none(), "it ends with the lines");
    driving.abort();
    assert!(house.stop().await);
}

#[actix_web::test]
async fn ten_thousand_lines_are_the_most() {
    let house = House::new().await;
    // Lines that fail at once: what counts here is their number.
    let answers = import(&house, "x\n".repeat(10_001)).await;
    assert_eq!(answers.len(), 10_001);
    assert_eq!((&answers[9_999]["problem"]["code"], &answers[9_999]["line"]), (&json!("malformed"), &json!(10_000)));
    assert_eq!(answers[10_000]["problem"]["code"], "too_many");
    assert!(house.stop().await);
}
