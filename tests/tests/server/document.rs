//! docs/openapi.json has each route of the server, and no other.

use serde_json::Value;
use std::collections::BTreeSet;
use walkaround_server::routes;
use walkaround_tests::places;

fn document() -> Value {
    let text = std::fs::read_to_string(places::root().join("docs/openapi.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_document_has_each_route_with_what_it_needs_and_no_other() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<[String; 3]> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods
                .map(|(method, of)| {
                    let needs = of["x-role"].as_str().unwrap_or_default();
                    [method.clone(), path.clone(), needs.to_owned()]
                })
                .collect::<Vec<_>>()
        })
        .collect();
    let routed: BTreeSet<[String; 3]> = routes()
        .map(|route| [route.method, route.path, route.needs].map(str::to_owned))
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn what_the_document_names_is_there() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut named = Vec::new();
    references(&document, &mut named);
    assert!(named.len() > 20, "only {} references were found", named.len());
    for reference in &named {
        let name = reference.strip_prefix("#/components/schemas/");
        assert!(name.is_some_and(|name| schemas.contains_key(name)), "{reference}");
    }
    for name in schemas.keys() {
        let reference = format!("#/components/schemas/{name}");
        assert!(named.contains(&reference), "nothing names {name}");
    }
    // A path's parameters are those in its braces.
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let given = operation["parameters"].as_array().cloned().unwrap_or_default();
            let given = given.iter().filter(|p| p["in"] == "path");
            let given: Vec<String> = given.map(|p| p["name"].as_str().unwrap().to_owned()).collect();
            let braced = path
                .split('{')
                .skip(1)
                .map(|part| part.split('}').next().unwrap());
            let braced: Vec<String> = braced
                .map(|name| name.trim_start_matches('*').to_owned())
                .collect();
            assert_eq!(given, braced, "{method} {path}");
        }
    }
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                found.push(reference.clone());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}
