//! `GET /api/v1/openapi.json`: every path for machines, as OpenAPI 3.1.
//!
//! `openapi.json` beside this file is the description; the tests here hold it against the routes, both ways, and
//! `tests/openapi` holds a demo's answers against its schemas. A path is added by writing its entry there: its
//! methods, what a caller must show (`security`: the scope, and `token` where the query may hold the credential), and of a
//! stream the frames under `x-frames`. The page's files are no API, and not in it. A path that is another name for one
//! says so with `x-same-as`.

use hyper::{Response, StatusCode};

use super::body::Body;
use super::reply::{JSON, typed};

const DESCRIPTION: &str = include_str!("openapi.json");

pub(super) fn answer() -> Response<Body> {
    typed(StatusCode::OK, JSON, Body::whole(DESCRIPTION))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use hyper::Method;
    use serde_json::{Map, Value};

    use super::super::route::{Access, Route, Standing};
    use super::*;

    /// What may stand beside methods in a path item.
    const BESIDE: [&str; 3] = ["parameters", "summary", "x-same-as"];

    fn paths() -> Map<String, Value> {
        let document: Value = serde_json::from_str(DESCRIPTION).unwrap();
        document["paths"].as_object().unwrap().clone()
    }

    /// The path with something in each place that it leaves open.
    fn filled(path: &str) -> String {
        path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect::<Vec<_>>().join("/")
    }

    /// The operations of a path item, by method.
    fn operations(item: &Value) -> BTreeMap<String, &Value> {
        let item = item.as_object().unwrap().iter();
        item.filter(|(key, _)| !BESIDE.contains(&key.as_str())).map(|(key, operation)| (key.to_uppercase(), operation)).collect()
    }

    #[test]
    fn every_path_leads_where_it_says() {
        let mut faults = Vec::new();
        for (path, item) in paths() {
            let Some(route) = Route::of(&filled(&path)) else {
                faults.push(format!("{path} leads nowhere"));
                continue;
            };
            let same = item["x-same-as"].as_str().unwrap_or(&path);
            if same != route.pattern() {
                faults.push(format!("{path} leads to {}; write that, or x-same-as", route.pattern()));
            }
            let told: BTreeSet<String> = operations(&item).into_keys().collect();
            let answered: BTreeSet<String> = route.methods().iter().map(Method::to_string).collect();
            if told != answered {
                faults.push(format!("{path} has {told:?} and answers {answered:?}"));
            }
            for (method, operation) in operations(&item) {
                let method: Method = method.parse().unwrap();
                let needs = needs(&operation["security"]);
                let access = access(&route.access(&method));
                if needs != access {
                    faults.push(format!("{method} {path}: security says {needs:?}, and it is {access:?}"));
                }
                if operation["x-stream"].as_bool().unwrap_or(false) != route.is_stream(&method) {
                    faults.push(format!("{method} {path}: x-stream is for streams, and only those"));
                }
            }
        }
        assert!(faults.is_empty(), "src/http/openapi.json:\n{}", faults.join("\n"));
    }

    /// What is needed: of each scope the schemes.
    type Needs = BTreeSet<(String, String)>;

    fn needs(security: &Value) -> Needs {
        let told = security.as_array().unwrap_or_else(|| panic!("no security")).iter();
        let pairs = told.flat_map(|requirement| requirement.as_object().unwrap()).flat_map(|(scheme, scopes)| {
            let scopes = scopes.as_array().unwrap();
            let scope = scopes.first().map_or("", |scope| scope.as_str().unwrap());
            assert!(scopes.len() < 2, "one scope is enough: {scopes:?}");
            [(scheme.clone(), scope.to_owned())]
        });
        pairs.collect()
    }

    fn access(access: &Access) -> Needs {
        let (scope, standing) = match access {
            Access::Open => return Needs::new(),
            Access::SignedIn => (String::new(), Standing::Header),
            Access::Needs(scope, standing) => (serde_json::to_value(scope).unwrap().as_str().unwrap().to_owned(), *standing),
        };
        let query = standing.takes_query().then_some("token");
        ["bearer", "apiKey", "cookie"].into_iter().chain(query).map(|scheme| (scheme.to_owned(), scope.clone())).collect()
    }

    #[test]
    fn every_route_is_described() {
        // Route has no list of itself; its own source is one.
        let source = include_str!("route.rs");
        let patterns = source.split_once("fn pattern(").and_then(|(_, rest)| rest.split_once("\n    }\n")).unwrap().0;
        let routes: BTreeSet<&str> = patterns.split('"').filter(|text| text.starts_with('/')).collect();
        assert!(routes.contains("/healthz") && routes.contains("/api/v1/geofences/{id}"), "{routes:?}");
        let described = paths();
        let missing: Vec<_> = routes.iter().filter(|route| !described.contains_key(**route)).collect();
        assert!(missing.is_empty(), "src/http/openapi.json has no path for {missing:?}");
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        let document: Value = serde_json::from_str(DESCRIPTION).unwrap();
        fn references<'d>(value: &'d Value, into: &mut Vec<&'d str>) {
            match value {
                Value::Object(members) => {
                    into.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|value| references(value, into));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, into)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        references(&document, &mut found);
        let dangling: Vec<_> = found.iter().filter(|path| document.pointer(path.trim_start_matches('#')).is_none()).collect();
        assert!(found.len() > 100 && dangling.is_empty(), "{dangling:?}");

        let mut names = BTreeSet::new();
        for (path, item) in paths() {
            for (method, operation) in operations(&item) {
                let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
                assert!(names.insert(name.to_owned()), "{name} twice");
                let tag = operation["tags"][0].as_str().unwrap_or_default();
                let tags = document["tags"].as_array().unwrap();
                assert!(tags.iter().any(|known| known["name"] == tag), "{method} {path}: tag {tag}");
            }
        }
    }
}
