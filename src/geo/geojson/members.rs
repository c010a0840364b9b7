//! Members of JSON objects, each with what is wrong when it is not what it should be.

use serde_json::{Map, Value};

use crate::geo::fault::{At, Under, Wrong};

/// A member that is there and not `null`.
pub(super) fn get<'a>(members: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    members.get(key).filter(|value| !value.is_null())
}

pub(super) fn object(value: &Value) -> Result<&Map<String, Value>, At> {
    value.as_object().ok_or_else(|| mistyped("an object", value))
}

pub(super) fn string(value: &Value) -> Result<&str, At> {
    value.as_str().ok_or_else(|| mistyped("a string", value))
}

pub(super) fn number(value: &Value) -> Result<f64, At> {
    value.as_f64().ok_or_else(|| mistyped("a number", value))
}

pub(super) fn mistyped(wanted: &'static str, value: &Value) -> At {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    Wrong::Type { wanted, found }.into()
}

pub(super) fn kind<'a>(members: &'a Map<String, Value>, wanted: &'static str) -> Result<&'a str, At> {
    string(get(members, "type").ok_or(Wrong::Missing(wanted))?)
}

pub(super) fn word(found: &str, right: &str, wanted: &'static str) -> Result<(), At> {
    if found == right { Ok(()) } else { Err(Wrong::Word { found: found.to_owned(), wanted }.into()) }
}

pub(super) fn text(members: &Map<String, Value>, key: &'static str) -> Result<Option<String>, At> {
    get(members, key).map(|value| string(value).map(str::to_owned)).transpose().under(key)
}

pub(super) fn flag(members: &Map<String, Value>, key: &'static str) -> Result<bool, At> {
    let value = get(members, key).map(|value| value.as_bool().ok_or_else(|| mistyped("true or false", value)));
    Ok(value.transpose().under(key)?.unwrap_or(false))
}

/// A number over 0.
pub(super) fn amount(members: &Map<String, Value>, key: &'static str, most: f64, unit: &'static str) -> Result<Option<f64>, At> {
    let Some(found) = get(members, key).map(number).transpose().under(key)? else { return Ok(None) };
    let inside = found > 0.0 && found <= most;
    if inside { Ok(Some(found)) } else { Err(At::from(Wrong::Range { found, most, unit }).under(key)) }
}

pub(super) fn id(value: &Value) -> Result<String, At> {
    let id = match value {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return Err(Wrong::Id.into()),
    };
    let sound = (1..=128).contains(&id.chars().count()) && !id.chars().any(char::is_control);
    if sound { Ok(id) } else { Err(Wrong::Id.into()) }
}

pub(super) fn id_of(feature: &Value) -> Option<String> {
    feature.get("id").and_then(|value| id(value).ok())
}

pub(super) fn list<T>(value: &Value, each: impl Fn(&Value) -> Result<T, At>) -> Result<Vec<T>, At> {
    let items = value.as_array().ok_or_else(|| mistyped("an array", value))?;
    items.iter().enumerate().map(|(at, item)| each(item).under(at)).collect()
}
