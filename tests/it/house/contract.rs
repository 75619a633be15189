//! The OpenAPI document as a judge: every request that was taken and every answer of every story must be as it says.
//!
//! In answers readers must expect fields that they do not know, so the document leaves them open. Here they are
//! closed: a field that nobody described is a mistake.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::http::Answer;

/// The document, and what was made of it.
pub(crate) struct Contract {
    /// As it is written.
    pub(crate) document: Value,
    closed: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// The document of this source tree.
pub(crate) fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/openapi.json");
        let text = std::fs::read_to_string(path).expect("the document is there");
        let document: Value = serde_json::from_str(&text).expect("the document is JSON");
        let mut closed = document["components"].clone();
        close(&mut closed);
        Contract { document, closed, validators: Mutex::default() }
    })
}

/// Fails the story where a call is not as the document says.
pub(crate) fn check(method: &str, path: &str, request: &[u8], answer: &Answer) {
    let path = path.split('?').next().unwrap_or(path);
    let mistakes = contract().mistakes(method, path, request, answer);
    assert!(
        mistakes.is_empty(),
        "{method} {path} was answered {} and is not as src/http/openapi.json says:\n{}\nrequest: {}\nanswer: {}",
        answer.status,
        mistakes.join("\n"),
        shortened(request),
        shortened(&answer.body),
    );
}

/// Fails the story where a durable event on a socket has not the body that it has in the feed.
pub(crate) fn check_event(object: &Value) {
    let mut event = object.clone();
    let numbered = event.as_object_mut().and_then(|fields| fields.remove("seq")).is_some();
    if numbered && event["id"].as_str().is_some_and(|id| id.starts_with("ev_")) {
        let mistakes = contract().errors(&json!({"$ref": "#/components/schemas/Event"}), &event);
        assert!(mistakes.is_empty(), "an event on a socket is not as described:\n{}\n{object}", mistakes.join("\n"));
    }
}

/// Fails the story where a command on a socket is answered otherwise than over REST.
pub(crate) fn check_command(command: &str, answer: &Value) {
    let schema = match command {
        _ if !answer["problem"].is_null() => "Problem",
        "send" | "note" => "Sent",
        "assign" | "collaborate" => "Assigned",
        "hand_over" | "open" | "close" | "snooze" | "read" => "Changed",
        _ => return,
    };
    let said = if schema == "Problem" { &answer["problem"] } else { &answer["ok"] };
    let mistakes = contract().errors(&json!({"$ref": format!("#/components/schemas/{schema}")}), said);
    assert!(
        mistakes.is_empty(),
        "`{command}` is answered otherwise than described:\n{}\n{answer}",
        mistakes.join("\n")
    );
}

impl Contract {
    /// What of a call is not as the document says, a line each.
    pub(crate) fn mistakes(&self, method: &str, path: &str, request: &[u8], answer: &Answer) -> Vec<String> {
        let Some(operation) = self.operation(method, path) else {
            // What is no route may be asked for, and is not there.
            let code = answer.json()["code"].clone();
            let absent =
                matches!((answer.status, code.as_str()), (404, Some("not_found")) | (405, Some("method_not_allowed")));
            // Nor does a server that starts or stops look for it.
            let absent = absent || answer.status == 503;
            return if absent { Vec::new() } else { vec!["there is no such operation in the document".to_owned()] };
        };
        let taken = taken(request, answer);
        let request = taken.as_slice();
        let mut mistakes = Vec::new();
        if (200..300).contains(&answer.status) && !request.is_empty() {
            match self.resolved(&operation["requestBody"])["content"].as_object() {
                Some(content) => mistakes.extend(content.iter().flat_map(|(media, described)| {
                    self.bodies(&described["schema"], media, request).into_iter().map(|line| format!("request{line}"))
                })),
                // Stories write `{}` or `null` where a route takes nothing.
                None if matches!(request, b"{}" | b"null") => {}
                None => mistakes.push("request: this operation takes no body".to_owned()),
            }
        }
        mistakes.extend(self.answer(operation, answer));
        mistakes
    }

    fn answer(&self, operation: &Value, answer: &Answer) -> Vec<String> {
        let described = self.resolved(&operation["responses"][answer.status.to_string()]);
        if described.is_null() {
            return vec![format!("answer: the status {} is not in the document", answer.status)];
        }
        let Some(content) = described["content"].as_object() else {
            let silent = answer.body.is_empty();
            return if silent { Vec::new() } else { vec!["answer: it has a body, and should have none".to_owned()] };
        };
        let media = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        let Some(described) = content.get(media) else {
            return vec![format!("answer: the media type `{media}` is not in the document")];
        };
        let lines = self.bodies(&described["schema"], media, &answer.body).into_iter();
        let mut mistakes: Vec<String> = lines.map(|line| format!("answer{line}")).collect();
        if media == "application/problem+json" && answer.json()["status"] != answer.status {
            mistakes.push("answer: the problem names another status than the answer has".to_owned());
        }
        mistakes
    }

    fn bodies(&self, schema: &Value, media: &str, bytes: &[u8]) -> Vec<String> {
        match media {
            "application/x-ndjson" => {
                let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                lines
                    .filter_map(|line| serde_json::from_slice(line).ok())
                    .flat_map(|line| self.errors(schema, &line))
                    .collect()
            }
            media if media.ends_with("json") => match serde_json::from_slice(bytes) {
                Ok(body) => self.errors(schema, &body),
                Err(error) => vec![format!(": it is not JSON: {error}")],
            },
            _ => Vec::new(),
        }
    }

    /// What is wrong with a value, a line each; every object is closed.
    pub(crate) fn errors(&self, schema: &Value, value: &Value) -> Vec<String> {
        let validator = self.validator(schema);
        let line = |error: jsonschema::ValidationError<'_>| format!(" at `{}`: {error}", error.instance_path);
        validator.iter_errors(value).map(line).collect()
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut known = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let made = known.entry(schema.to_string()).or_insert_with(|| {
            let mut schema = schema.clone();
            close(&mut schema);
            let whole = json!({"allOf": [schema], "components": self.closed});
            let made = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).build(&whole);
            Arc::new(made.unwrap_or_else(|error| panic!("a schema of the document is wrong: {error}\n{whole}")))
        });
        Arc::clone(made)
    }

    /// The operation that a path belongs to: of several, the one with the most literal steps.
    pub(crate) fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let paths = self.document["paths"].as_object()?;
        let fitting = paths
            .iter()
            .filter_map(|(template, item)| Some((fits(template, path, item["x-takes-slashes"] == true)?, item)));
        // The path is found first: one that does not take the method is not looked for under another name.
        fitting.max_by_key(|(literal, _)| *literal)?.1.get(method.to_ascii_lowercase())
    }

    /// What a reference stands for; anything else stands for itself.
    pub(crate) fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
            None => value,
        }
    }
}

/// What of a request was taken: of lines, those that did not fail.
fn taken(request: &[u8], answer: &Answer) -> Vec<u8> {
    if answer.header("content-type") != Some("application/x-ndjson") {
        return request.to_vec();
    }
    let lines = answer.body.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let good: HashSet<u64> =
        lines.filter(|line| line["status"] != "failed").filter_map(|line| line["line"].as_u64()).collect();
    let numbered = (1..).zip(request.split(|byte| *byte == b'\n'));
    let kept = numbered.filter(|(number, _)| good.contains(number)).map(|(_, line)| line);
    kept.collect::<Vec<_>>().join(&b'\n')
}

/// How many steps of a path are literally those of the template; none where it does not fit.
fn fits(template: &str, path: &str, takes_slashes: bool) -> Option<usize> {
    let wanted: Vec<&str> = template.split('/').collect();
    let given: Vec<&str> =
        if takes_slashes { path.splitn(wanted.len(), '/').collect() } else { path.split('/').collect() };
    if wanted.len() != given.len() {
        return None;
    }
    let mut literal = 0;
    for (wanted, given) in wanted.iter().zip(&given) {
        match (wanted.starts_with('{'), wanted == given) {
            (true, _) if !given.is_empty() => {}
            (false, true) => literal += 1,
            _ => return None,
        }
    }
    Some(literal)
}

/// Refuses, in every object that lists its fields, the fields that it does not list.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let lists = |fields: &Map<String, Value>| {
                fields.contains_key("properties") && fields.get("type") == Some(&json!("object"))
            };
            if lists(fields) && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(elements) => elements.iter_mut().for_each(close),
        _ => {}
    }
}

fn shortened(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut short: String = text.chars().take(2_000).collect();
    if short.len() < text.len() {
        let _ = write!(short, " … ({} bytes)", bytes.len());
    }
    short
}
