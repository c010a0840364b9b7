//! Whether the car is asked what is wrong with it, and on which of its buses.

use std::collections::BTreeMap;
use std::fs;

use super::fault::Findings;
use super::paths;
use super::site::{self, Entry, place_of, section};
use super::sources::Bus;
use super::tree::Node;
use crate::can::profile::{self, Profile};
use crate::diagnostics::Settings;
use crate::diagnostics::texts::Texts;
use crate::vehicle::BusId;

/// Reads `[diagnostics]`.
pub fn read(tree: &Node, findings: &mut Findings) -> Settings {
    let settings: Settings = section(tree, "diagnostics", findings);
    let texts =
        settings.texts.map(|given| paths::file(place_of(tree, "diagnostics.texts"), "diagnostics.texts", &given, findings));
    let read = texts.as_deref().and_then(|path| Some((path, Texts::load(&fs::read(path).ok()?))));
    if let Some((path, Err(error))) = read {
        let message = format!("{} cannot be used: {error}", path.display());
        findings.fault(place_of(tree, "diagnostics.texts"), "diagnostics.texts", message, "correct that file");
    }
    Settings { texts, ..settings }
}

/// Whether the car can be asked for its own number.
pub fn can_tell_its_number(settings: &Settings, profile: Option<&Profile>) -> bool {
    settings.transmit && profile.is_some_and(|profile| profile.diagnosis.obd.is_some() || profile.diagnosis.j1939.is_some())
}

/// Holds what is to be asked against the buses there are. A bus on which ECUs are asked need not be listen-only.
pub fn settle(
    tree: &Node,
    settings: &Settings,
    profile: Option<&Profile>,
    connected: &BTreeMap<String, Entry<site::Bus>>,
    buses: &mut [Bus],
    findings: &mut Findings,
) {
    if !settings.transmit {
        return;
    }
    let place = place_of(tree, "diagnostics.transmit");
    let none = profile::Diagnosis::default();
    let profile::Diagnosis { obd, j1939, .. } = profile.map_or(&none, |profile| &profile.diagnosis);
    if obd.is_none() && j1939.is_none() {
        let cure = "add [diagnostics] obd = \"BUS\" or j1939 = \"BUS\" to the profile, or take this out";
        findings.warn(place, "diagnostics.transmit", "asks nobody: the vehicle profile names no bus to ask on", cure);
    }
    for (id, bus) in (0..=u8::MAX).map(BusId).zip(buses) {
        let is_obd = *obd == Some(id);
        if !is_obd && *j1939 != Some(id) {
            continue;
        }
        let entry = connected.get(&bus.name);
        let listen_only = entry.and_then(|entry| entry.says.listen_only);
        bus.listen_only = listen_only == Some(true);
        let key = format!("bus.{}", bus.name);
        if bus.candump.is_some() {
            let cure = "name its interface without `candump`, or take diagnostics.transmit out";
            findings.warn(
                entry.map_or(place, |entry| entry.place("candump")),
                key,
                "is read from a log: nobody can be asked there",
                cure,
            );
        } else if let (true, true, Some(entry)) = (is_obd, bus.listen_only, entry) {
            let cure = "take one of the two out";
            let message = "is true, and diagnostics.transmit is true as well: nothing could be asked";
            findings.fault(entry.place("listen_only"), format!("{key}.listen_only"), message, cure);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{Config, LoadError, load};

    fn site(profile: &str, site: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("telltale.toml");
        fs::write(folder.path().join("car.toml"), profile).unwrap();
        fs::write(folder.path().join("can.log"), "").unwrap();
        fs::write(&file, format!("{site}[journal]\ndir = \".\"\n")).unwrap();
        load(&file).map_err(|error| match error {
            LoadError::Wrong(findings) => findings.to_string(),
            absent => absent.to_string(),
        })
    }

    const CAR: &str =
        "[bus.obd]\ninterface = \"can0\"\n[bus.truck]\ninterface = \"can1\"\n[diagnostics]\nobd = \"obd\"\nj1939 = \"truck\"\n";
    const ASK: &str = "[vehicle]\nprofile = \"car.toml\"\n[diagnostics]\ntransmit = true\n";

    #[test]
    fn a_car_that_is_asked_tells_its_number_and_its_controllers_may_speak() {
        let config = site(CAR, ASK).unwrap();
        assert_eq!((config.vin.clone(), config.buses.iter().any(|bus| bus.listen_only)), (None, false));
        let summary = config.summary();
        assert!(
            summary.contains("by the number that it tells") && summary.contains("ask     the ECUs on obd, truck"),
            "{summary}"
        );
        let heard = site(CAR, &ASK.replace("true", "false").replace("[vehicle]\n", "[vehicle]\nvin = \"A\"\n")).unwrap();
        assert!(heard.buses.iter().all(|bus| bus.listen_only) && heard.summary().contains("hear    what ECUs tell unasked"));
    }

    #[test]
    fn who_asks_nobody_has_to_name_the_car() {
        let told = site(CAR, &ASK.replace("true", "false")).unwrap_err();
        assert!(told.contains("vehicle.vin: is absent"), "{told}");
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        let told = site(CAR, &format!("{ASK}[bus.obd]\nlisten_only = true\n")).unwrap_err();
        assert!(told.contains(":6: bus.obd.listen_only: is true, and diagnostics.transmit is true"), "{told}");
        assert!(site(CAR, &format!("{ASK}[bus.truck]\nlisten_only = true\n")).is_ok(), "J1939 can be heard alone");
        let config = site(CAR, &format!("{ASK}[bus.obd]\ncandump = \"can.log\"\n")).unwrap();
        assert!(config.warnings.iter().any(|warning| warning.to_string().contains("nobody can be asked there")));
        let told = site(CAR, &ASK.replace("true", "true\ntexts = \"car.toml\"")).unwrap_err();
        assert!(
            told.contains(":5: diagnostics.texts: ") && told.contains("car.toml cannot be used: ") && told.contains("line 1"),
            "{told}"
        );
        let told = site(CAR, &ASK.replace("true", "true\ntexts = \"gone.json\"")).unwrap_err();
        assert!(told.contains(":5: diagnostics.texts: there is no ") && told.contains("/gone.json"), "{told}");
    }
}
