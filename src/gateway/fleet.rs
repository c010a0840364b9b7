//! The numbers in force: those of the site's file, with what the fleet set over them.
//!
//! What the fleet set is kept as one row, and laid over the site's file anew at each start and each reload. Where the file
//! then no longer permits it, all of it is dropped: half of what was meant is nobody's intention.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::event::Row;
use crate::feed::FLEET_SETTINGS;
use crate::request::Wrong;
use crate::{config, detect};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    site: detect::Settings,
    fleet: Map<String, Value>,
    in_force: detect::Settings,
}

impl Numbers {
    /// Those of `site`, with what the fleet had set by the journal's rows; why that is dropped, where it is.
    pub(super) fn restore(site: detect::Settings, kept: &[(String, Arc<[u8]>)]) -> (Numbers, Option<String>) {
        let mut numbers = Numbers { in_force: site.clone(), site, fleet: Map::new() };
        let Some((_, row)) = kept.iter().find(|(key, _)| key == FLEET_SETTINGS) else { return (numbers, None) };
        let read = serde_json::from_slice(row).map_err(|error| error.to_string());
        let dropped = read.and_then(|fleet| numbers.set(fleet).map_err(|wrong| in_words(&wrong))).err();
        (numbers, dropped)
    }

    /// What counts.
    pub(super) fn in_force(&self) -> &detect::Settings {
        &self.in_force
    }

    /// Whether the fleet has set any.
    pub(super) fn any_of_fleet(&self) -> bool {
        !self.fleet.is_empty()
    }

    /// The fleet wants these, and no others: whether that changes anything.
    ///
    /// # Errors
    /// What is wrong with them; those before stay.
    pub(super) fn set(&mut self, fleet: Map<String, Value>) -> Result<bool, Vec<Wrong>> {
        if fleet == self.fleet {
            return Ok(false);
        }
        self.in_force = config::laid_over(&self.site, &fleet)?;
        self.fleet = fleet;
        Ok(true)
    }

    /// The site's file has changed; why what the fleet set is dropped, where it is.
    pub(super) fn renew(&mut self, site: detect::Settings) -> Option<String> {
        let laid = config::laid_over(&site, &self.fleet);
        self.site = site;
        match laid {
            Ok(numbers) => {
                self.in_force = numbers;
                None
            }
            Err(wrong) => {
                self.in_force = self.site.clone();
                self.fleet = Map::new();
                Some(in_words(&wrong))
            }
        }
    }

    /// What the journal is to keep.
    pub(super) fn row(&self) -> Row {
        let value = self.any_of_fleet().then(|| serde_json::to_vec(&self.fleet).ok()).flatten();
        Row { key: FLEET_SETTINGS.to_owned(), value }
    }
}

fn in_words(wrong: &[Wrong]) -> String {
    wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap()
    }

    fn site(locked_s: u32) -> detect::Settings {
        let mut site = detect::Settings::default();
        site.child.locked_s = locked_s;
        site
    }

    #[test]
    fn what_the_fleet_set_goes_along_with_the_sites_file_until_that_forbids_it() {
        let (mut numbers, _) = Numbers::restore(site(10), &[]);
        assert_eq!(numbers.set(fleet(r#"{"child": {"locked_s": 8}}"#)), Ok(true));
        assert_eq!(numbers.set(fleet(r#"{"child": {"locked_s": 8}}"#)), Ok(false), "the same again is no change");
        assert!(numbers.set(fleet(r#"{"child": {"locked_s": 11}}"#)).is_err());
        assert_eq!(numbers.in_force().child.locked_s, 8, "what was refused changes nothing");
        assert_eq!(numbers.renew(site(9)), None);
        assert_eq!(numbers.in_force().child.locked_s, 8);
        let row = [(FLEET_SETTINGS.to_owned(), Arc::from(numbers.row().value.unwrap()))];
        let (kept, dropped) = Numbers::restore(site(12), &row);
        assert_eq!((kept.in_force().child.locked_s, dropped), (8, None), "over a restart");
        let why = numbers.renew(site(7)).unwrap();
        assert!(why.contains("child.locked_s: is 8; the site's file has 7"), "{why}");
        assert_eq!((numbers.in_force().child.locked_s, numbers.row().value), (7, None));
        let (kept, dropped) = Numbers::restore(site(7), &row);
        assert!(dropped.is_some() && kept.in_force().child.locked_s == 7 && !kept.any_of_fleet());
    }

    #[test]
    fn taken_back_the_sites_own_count() {
        let (mut numbers, _) = Numbers::restore(site(10), &[]);
        numbers.set(fleet(r#"{"child": {"locked_s": 8}, "trip": {"start_s": 9}}"#)).unwrap();
        assert_eq!(numbers.set(Map::new()), Ok(true));
        assert_eq!((numbers.in_force(), numbers.row().value), (&site(10), None));
        let nonsense = [(FLEET_SETTINGS.to_owned(), Arc::from(b"no JSON".as_slice()))];
        assert!(Numbers::restore(site(10), &nonsense).1.is_some());
    }
}
