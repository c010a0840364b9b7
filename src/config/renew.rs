//! What of a new configuration a running daemon takes over, and what has to wait for a restart.
//!
//! | taken over at once | needs a restart |
//! |---|---|
//! | `child.*`, `geofence.*`, `trip.*`, `diagnosis.*`, `state.*` | `vehicle.vin` |
//! | `geofences.file`, `places.file` and what is in them | `vehicle.profile`, what is in it, and with it `bus.*` |
//! | `bus.NAME.interface`, `.candump`, `.listen_only` | `journal.*` |
//! | `[[gnss]]` | `http.*`, `metrics.listen`, `[[units]]`, `diagnostics.*` |
//! | `http.certificate`, `http.key` and what is in them, where there were such before | |
//! | `[[upstream]]`: one that changed begins anew where its receiver is; what is in its files counts from the next connection | |
//!
//! What the fleet has set over the detectors' numbers is laid over the new ones, where those permit it ([`super::laid_over`]).
//!
//! What needs a restart would end streams, or give another meaning to what the journal holds. A `board` counts by what it
//! says of these keys.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};
use std::path::PathBuf;

use super::Config;
use crate::can::profile::Profile;
use crate::http;

/// The configuration by which a daemon runs.
#[derive(Clone, Debug)]
pub struct InForce {
    /// Without its profile, which is large.
    config: Config,
    profile: u64,
}

impl InForce {
    /// What a daemon is started with.
    pub fn of(config: &Config) -> InForce {
        let profile = fingerprint(config.profile.as_ref());
        InForce { config: Config { profile: None, ..config.clone() }, profile }
    }

    /// Takes over what can be from `new`. What it says otherwise, and will not say before a restart.
    pub fn renew(&mut self, new: &Config) -> Vec<&'static str> {
        let old = &mut self.config;
        let other_profile = fingerprint(new.profile.as_ref()) != self.profile;
        let left = [
            ("vehicle.vin", old.vin != new.vin),
            ("vehicle.profile", other_profile),
            ("journal", old.journal != new.journal),
            ("http", doors(&old.http) != doors(&new.http)),
            ("metrics.listen", old.metrics != new.metrics),
            ("units", old.units != new.units || old.http.units != new.http.units),
            ("diagnostics", old.diagnostics != new.diagnostics),
        ];
        if !other_profile {
            old.buses.clone_from(&new.buses);
        }
        old.receivers.clone_from(&new.receivers);
        old.fences.clone_from(&new.fences);
        old.places.clone_from(&new.places);
        old.detect.clone_from(&new.detect);
        old.upstreams.clone_from(&new.upstreams);
        if old.http.given.is_some() && new.http.given.is_some() {
            old.http.given.clone_from(&new.http.given);
        }
        left.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    /// What is in force now. Its profile is not in it.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// The doors without what other keys put into their settings, and without which certificate of the owner's is shown.
fn doors(settings: &http::Settings) -> http::Settings {
    let (certificate, key) = match settings.given {
        Some(_) => (Some(PathBuf::new()), None),
        None => (settings.certificate.clone(), settings.key.clone()),
    };
    let (units, metrics) = (Vec::new(), Vec::new());
    http::Settings { unit: 0, units, metrics, given: None, state: None, certificate, key, ..settings.clone() }
}

/// Tells two profiles apart without keeping one.
fn fingerprint(profile: Option<&Profile>) -> u64 {
    struct Digest(DefaultHasher);
    impl Write for Digest {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut digest = Digest(DefaultHasher::new());
    // It never fails to write.
    let _ = write!(digest, "{profile:?}");
    digest.0.finish()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::load;
    use super::*;

    fn config(folder: &Path, text: &str) -> Config {
        let file = folder.join("telltale.toml");
        std::fs::write(&file, text).unwrap();
        load(&file).unwrap()
    }

    #[test]
    fn what_can_be_is_taken_over_and_the_rest_is_named_until_it_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let site = "[vehicle]\nvin = 'TELLTALESAMPLE001'\n[[gnss]]\ndevice = '/dev/ttyS7'\n[journal]\ndir = '.'\n";
        let first = config(folder.path(), site);
        let mut in_force = InForce::of(&first);
        assert_eq!(in_force.renew(&first), [""; 0]);

        let second = config(folder.path(), &format!("{}max_days = 7\n[child]\nlocked_s = 9\n", site.replace("ttyS7", "ttyS8")));
        for _ in 0..2 {
            assert_eq!(in_force.renew(&second), ["journal"], "as long as it differs from what runs");
        }
        assert_eq!(in_force.config().receivers, second.receivers);
        assert_eq!(in_force.config().detect.child.locked_s, 9);
        assert_eq!(in_force.config().journal, first.journal);
        assert_eq!(in_force.renew(&first), [""; 0]);
    }

    #[test]
    fn a_profile_is_told_from_another() {
        let known = Profile::default();
        assert_eq!(fingerprint(Some(&known)), fingerprint(Some(&known.clone())));
        assert_ne!(fingerprint(Some(&known)), fingerprint(None));
    }
}
