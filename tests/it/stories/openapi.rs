//! The OpenAPI document is whole: it names every route of the code and no other, and keeps its own rules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::house::House;
use crate::house::contract::contract;
use crate::house::http::Answer;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A method and a path.
type Route = (String, String);

/// The routes of the document with their operations.
fn operations() -> BTreeMap<Route, &'static Value> {
    let paths = contract().document["paths"].as_object().expect("paths");
    let of_path = |(path, item): (&String, &'static Value)| {
        let path = path.clone();
        METHODS.iter().filter_map(move |method| Some(((method.to_string(), path.clone()), item.get(*method)?)))
    };
    paths.iter().flat_map(of_path).collect()
}

/// The sources of the edge without their tests: path and text.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a text");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            found.push((stem, code));
        }
    }
}

/// One word of a registration, as the source has it.
enum Word<'a> {
    Scope(&'a str),
    Path(&'a str),
    Method(&'static str),
    /// Another file's routes, registered below this scope.
    Below(&'a str),
}

fn words(code: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(['w', '.']) {
        let rest = &code[at..];
        let quoted = |start: &str| rest.strip_prefix(start).and_then(|rest| rest.split('"').next());
        if let Some(path) = quoted("web::scope(\"") {
            found.push(Word::Scope(path));
        } else if let Some(path) = quoted("web::resource(\"").or_else(|| quoted(".route(\"")) {
            found.push(Word::Path(path));
        } else if let Some(rest) = rest.strip_prefix(".configure(super::") {
            found.extend(rest.split("::").next().map(Word::Below));
        } else if let Some(method) = METHODS.iter().find(|method| rest.starts_with(&format!("web::{method}()"))) {
            found.push(Word::Method(method));
        }
    }
    found
}

/// Routes whose path and method the edge reads itself, for speed: the router knows their prefix alone.
const BY_HAND: [(&str, &str); 2] = [("get", "/webhooks/{channel}/{app}"), ("post", "/webhooks/{channel}/{app}")];

/// Every route that the sources register.
fn registered() -> BTreeSet<Route> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"), &mut files);
    let mut scopes: BTreeMap<&str, &str> = BTreeMap::new();
    for (_, code) in &files {
        let mut scope = "";
        for word in words(code) {
            match word {
                Word::Scope(path) => scope = path,
                Word::Below(file) if !scope.is_empty() => {
                    scopes.insert(file, scope);
                }
                _ => {}
            }
        }
    }
    let mut routes: BTreeSet<Route> = BY_HAND.map(|(method, path)| (method.to_owned(), path.to_owned())).into();
    for (stem, code) in &files {
        let (mut scope, mut path) = (scopes.get(stem.as_str()).copied().unwrap_or_default(), String::new());
        for word in words(code) {
            match word {
                Word::Scope(prefix) => scope = prefix,
                Word::Path(rest) => path = format!("{scope}{rest}").replace(":.+}", "}"),
                Word::Method(method) => {
                    routes.insert((method.to_owned(), path.clone()));
                }
                Word::Below(_) => {}
            }
        }
    }
    routes
}

#[test]
fn every_route_is_documented_and_every_documented_route_is_there() {
    let registered = registered();
    assert!(registered.len() > 60, "only {} routes were found in the sources", registered.len());
    let documented: BTreeSet<Route> = operations().into_keys().collect();
    let undocumented: Vec<&Route> = registered.difference(&documented).collect();
    assert!(undocumented.is_empty(), "these routes are not in src/http/openapi.json: {undocumented:?}");
    let unknown: Vec<&Route> = documented.difference(&registered).collect();
    assert!(unknown.is_empty(), "src/http/openapi.json has routes that there are not: {unknown:?}");
}

#[test]
fn every_operation_has_a_name_a_description_and_its_parameters() {
    let (mut names, mut wrong) = (BTreeSet::new(), Vec::new());
    for ((method, path), operation) in operations() {
        let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() || !names.insert(name) {
            wrong.push(format!("{method} {path}: its operationId is missing or another's"));
        }
        if operation["description"].as_str().is_none_or(str::is_empty) {
            wrong.push(format!("{method} {path}: it has no description"));
        }
        let item = &contract().document["paths"][&path];
        let parameters =
            [&item["parameters"], &operation["parameters"]].into_iter().filter_map(Value::as_array).flatten();
        let named: BTreeSet<&str> = parameters
            .map(|parameter| contract().resolved(parameter))
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let wanted: BTreeSet<&str> =
            path.split('/').filter_map(|step| step.strip_prefix('{')?.strip_suffix('}')).collect();
        if named != wanted {
            wrong.push(format!("{method} {path}: it describes the path parameters {named:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Calls `see` with every object of a document.
fn visit<'a>(value: &'a Value, see: &mut dyn FnMut(&'a serde_json::Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            see(fields);
            fields.values().for_each(|field| visit(field, see));
        }
        Value::Array(elements) => elements.iter().for_each(|element| visit(element, see)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = &contract().document;
    let mut references = BTreeSet::new();
    visit(document, &mut |fields| references.extend(fields.get("$ref").and_then(Value::as_str)));
    let lost: Vec<&&str> =
        references.iter().filter(|reference| document.pointer(reference.trim_start_matches('#')).is_none()).collect();
    assert!(lost.is_empty(), "these references lead nowhere: {lost:?}");
    let components = document["components"].as_object().expect("components").iter();
    let idle: Vec<String> = components
        .filter(|(kind, _)| *kind != "securitySchemes")
        .flat_map(|(kind, parts)| parts.as_object().into_iter().flatten().map(move |(name, _)| (kind, name)))
        .map(|(kind, name)| format!("#/components/{kind}/{name}"))
        .filter(|reference| !references.contains(reference.as_str()))
        .collect();
    assert!(idle.is_empty(), "nothing refers to these components: {idle:?}");
}

#[test]
fn every_example_is_as_its_schema_says() {
    let (mut seen, mut wrong) = (0, Vec::new());
    let mut judge = |schema: &Value, example: &Value| {
        seen += 1;
        let errors = contract().errors(schema, example);
        if !errors.is_empty() {
            wrong.push(format!("{example}\n  {}", errors.join("\n  ")));
        }
    };
    visit(&contract().document, &mut |fields| {
        // Beside `schema` stands the example of a body or parameter; a schema carries its own in a list.
        if let Some(schema) = fields.get("schema") {
            fields.get("example").into_iter().for_each(|example| judge(schema, example));
            let named = fields.get("examples").and_then(Value::as_object).into_iter().flatten();
            named.for_each(|(_, example)| judge(schema, &example["value"]));
        }
        let own = fields.get("examples").and_then(Value::as_array).into_iter().flatten();
        let schema = Value::Object(fields.clone());
        own.for_each(|example| judge(&schema, example));
    });
    assert!(seen > 30, "only {seen} examples were found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn requests_refuse_fields_that_they_do_not_list() {
    let mut open = BTreeSet::new();
    for ((method, path), operation) in operations() {
        let content = contract().resolved(&operation["requestBody"])["content"].as_object();
        for schema in content.into_iter().flatten().map(|(_, described)| &described["schema"]) {
            look(schema, &format!("{method} {path}"), &mut BTreeSet::new(), &mut open);
        }
    }
    assert!(open.is_empty(), "these objects of requests are open: {open:?}");
}

/// Notes the objects below a schema that list their fields and do not refuse others.
fn look(schema: &Value, place: &str, seen: &mut BTreeSet<String>, open: &mut BTreeSet<String>) {
    let mut references = Vec::new();
    visit(schema, &mut |fields| {
        references.extend(fields.get("$ref").and_then(Value::as_str));
        let lists = fields.get("type").is_some_and(|kind| kind == "object") && fields.contains_key("properties");
        if lists && fields.get("additionalProperties").is_none_or(|more| *more != false) {
            open.insert(place.to_owned());
        }
    });
    for reference in references {
        if seen.insert(reference.to_owned()) {
            look(contract().document.pointer(&reference[1..]).unwrap_or(&Value::Null), reference, seen, open);
        }
    }
}

#[actix_web::test]
async fn whoever_has_a_token_reads_the_document() {
    let house = House::new().await;
    for name in ["OPERATOR_TOKEN", "ADMIN_TOKEN", "AGENT1_TOKEN"] {
        let served = house.get("/v1/openapi.json", house.token(name)).await.expect(200);
        assert_eq!(served, contract().document, "{name}");
    }
    assert_eq!(house.get("/v1/openapi.json", "tgm_nobody").await.problem(401), "unauthorized");
    assert!(house.stop().await);
}

/// An answer that no server gave.
fn answer(status: u16, media: &str, body: &Value) -> Answer {
    let mut headers = hyper::HeaderMap::new();
    headers.insert("content-type", media.parse().expect("a header"));
    Answer { status, headers, body: body.to_string().into_bytes().into() }
}

/// The judge bites: each of these calls is not as the document says.
#[test]
fn mistakes_are_seen() {
    let (json, problem) = ("application/json", "application/problem+json");
    let team = json!({"id": "tea_01KAXVQ6Z00000000000000008", "name": "Night"});
    let not_found = contract().document["components"]["schemas"]["Problem"]["examples"][0].clone();
    let table = [
        ("POST", "/v1/teams", json!({"name": "Night"}), answer(201, json, &team), None),
        ("POST", "/v1/flights", json!({}), answer(200, json, &team), Some("no such operation")),
        ("POST", "/v1/teams", json!({"name": "Night"}), answer(200, json, &team), Some("the status 200")),
        ("POST", "/v1/teams", json!({"name": "Night"}), answer(201, "text/html", &team), Some("`text/html`")),
        ("POST", "/v1/teams", json!({"name": "Night", "size": 3}), answer(201, json, &team), Some("request at ``")),
        ("POST", "/v1/teams", json!({}), answer(422, problem, &not_found), Some("another status")),
        ("POST", "/v1/teams", json!({"name": "Night"}), answer(201, json, &json!({"id": team["id"]})), Some("name")),
        (
            "POST",
            "/v1/teams",
            json!({"name": "Night"}),
            answer(201, json, &json!({"id": 1, "name": "N"})),
            Some("`/id`"),
        ),
        ("DELETE", "/v1/keys/key_1", json!({"why": 1}), answer(204, json, &json!({})), Some("takes no body")),
        ("DELETE", "/v1/keys/key_1", json!(null), answer(204, json, &json!({})), Some("should have none")),
    ];
    for (method, path, request, answer, wanted) in table {
        let found = contract().mistakes(method, path, request.to_string().as_bytes(), &answer).join("\n");
        match wanted {
            Some(word) => assert!(found.contains(word), "{method} {path} {request}: {found:?}"),
            None => assert_eq!(found, ""),
        }
    }
    let more = json!({"id": team["id"], "name": "Night", "colour": "red"});
    let found = contract().mistakes("POST", "/v1/teams", b"", &answer(201, json, &more)).join("\n");
    assert!(found.contains("colour"), "{found:?}");
}

#[actix_web::test]
async fn another_method_and_another_path_are_problems() {
    let house = House::new().await;
    let admin = house.token("ADMIN_TOKEN");
    assert_eq!(house.call("DELETE", "/v1/labels", admin, &json!({})).await.problem(405), "method_not_allowed");
    for (path, item) in contract().document["paths"].as_object().expect("paths") {
        let taken: BTreeSet<String> =
            METHODS.iter().filter(|method| !item[**method].is_null()).map(|method| method.to_uppercase()).collect();
        // A path of any kind of id: what it names is not looked for.
        let asked: Vec<&str> = path.split('/').map(|step| if step.starts_with('{') { "x" } else { step }).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().filter(|method| !taken.contains(*method)) {
            let answer = house.call(method, &asked.join("/"), admin, &json!({})).await;
            assert_eq!(answer.problem(405), "method_not_allowed", "{method} {path}");
            let allowed = answer.header("allow").unwrap_or_default().split(", ").map(str::to_owned);
            assert_eq!(allowed.collect::<BTreeSet<_>>(), taken, "{method} {path}");
        }
    }
    assert_eq!(house.get("/v1/flights", admin).await.problem(404), "not_found");
    // What is misspelt is said, and not left out.
    assert_eq!(house.get("/v1/labels?limti=3", admin).await.problem(422), "invalid");
    assert!(house.stop().await);
}
