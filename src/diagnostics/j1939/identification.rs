//! What ECUs say of themselves: ASCII with `*` after each field (SAE J1939-71, 5.3.40; J1939-73).

/// Component identification: each field where it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Component {
    /// Make, to 5 characters.
    pub make: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Unit number.
    pub unit: Option<String>,
}

/// The VIN of vehicle identification: 17 of the letters and digits that a VIN has (ISO 3779), else `None`.
pub fn vin(data: &[u8]) -> Option<String> {
    let vin = data.split(|byte| *byte == b'*').next().and_then(text)?.to_ascii_uppercase();
    let usual = |byte: u8| byte.is_ascii_alphanumeric() && !matches!(byte, b'I' | b'O' | b'Q');
    (vin.len() == 17 && vin.bytes().all(usual)).then_some(vin)
}

/// Component identification.
pub fn component(data: &[u8]) -> Component {
    let mut fields = data.split(|byte| *byte == b'*').map(text);
    let mut next = || fields.next().flatten();
    Component { make: next(), model: next(), serial: next(), unit: next() }
}

/// Software identification: a byte with the number of fields, then those.
pub fn software(data: &[u8]) -> Vec<String> {
    let Some((&count, fields)) = data.split_first() else { return Vec::new() };
    fields.split(|byte| *byte == b'*').filter_map(text).take(usize::from(count)).collect()
}

/// What can be read of a field, without padding; `None` where nothing can.
fn text(field: &[u8]) -> Option<String> {
    let readable = field.iter().filter(|byte| (b' '..=b'~').contains(*byte)).map(|byte| char::from(*byte));
    let text = readable.collect::<String>().trim().to_owned();
    (!text.is_empty()).then_some(text)
}
