//! The topics of one vehicle on a broker, all below `telltale/{vin}/`.

use crate::event::Kind;
use crate::upstream::Topic;
use crate::upstream::desired::Wish;
use crate::vehicle::Vin;

/// The topics of one vehicle. A [`Vin`] is letters and digits, so none of `/ + #` gets in by it.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    vin: Vin,
}

impl Topics {
    pub(super) fn new(vin: Vin) -> Topics {
        Topics { vin }
    }

    /// What the broker knows this vehicle by: one connection for each vehicle.
    pub(super) fn client_id(&self) -> String {
        format!("telltale-{}", self.vin)
    }

    pub(super) fn message(&self, topic: Topic) -> String {
        match topic {
            Topic::Event(kind) => self.below(&format!("events/{}", Kind::name(kind))),
            Topic::Track => self.below("track"),
            Topic::Gap => self.below("gap"),
        }
    }

    pub(super) fn status(&self) -> String {
        self.below("status")
    }

    /// The filter of everything that the fleet may want.
    pub(super) fn desired(&self) -> String {
        self.below("desired/+")
    }

    pub(super) fn reported(&self, what: Wish) -> String {
        self.below(&format!("reported/{}", word(what)))
    }

    /// What is wanted by a message on this topic; `None` for what nobody asked for.
    pub(super) fn wish(&self, topic: &[u8]) -> Option<Wish> {
        let wanted = topic.strip_prefix(self.below("desired/").as_bytes())?;
        [Wish::Fences, Wish::Settings].into_iter().find(|what| word(*what).as_bytes() == wanted)
    }

    fn below(&self, rest: &str) -> String {
        format!("telltale/{}/{rest}", self.vin)
    }
}

const fn word(what: Wish) -> &'static str {
    match what {
        Wish::Fences => "fences",
        Wish::Settings => "settings",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topics() -> Topics {
        Topics::new(Vin::try_from("KMHSH81C7LU123456".to_owned()).unwrap())
    }

    #[test]
    fn topics_as_they_are_documented() {
        let topics = topics();
        assert_eq!(topics.client_id(), "telltale-KMHSH81C7LU123456");
        assert_eq!(topics.message(Topic::Event(Kind::Child)), "telltale/KMHSH81C7LU123456/events/child");
        assert_eq!(topics.message(Topic::Track), "telltale/KMHSH81C7LU123456/track");
        assert_eq!(topics.message(Topic::Gap), "telltale/KMHSH81C7LU123456/gap");
        assert_eq!(topics.status(), "telltale/KMHSH81C7LU123456/status");
        assert_eq!(topics.desired(), "telltale/KMHSH81C7LU123456/desired/+");
        assert_eq!(topics.reported(Wish::Fences), "telltale/KMHSH81C7LU123456/reported/fences");
    }

    proptest! {
        /// Only the two topics of this vehicle are a wish.
        #[test]
        fn no_other_topic_is_a_wish(topic in "(telltale/KMHSH81C7LU123456/desired/)?[a-z/+#]{0,12}") {
            let wish = match topic.as_str() {
                "telltale/KMHSH81C7LU123456/desired/fences" => Some(Wish::Fences),
                "telltale/KMHSH81C7LU123456/desired/settings" => Some(Wish::Settings),
                _ => None,
            };
            prop_assert_eq!(topics().wish(topic.as_bytes()), wish);
        }

        #[test]
        fn any_bytes_are_taken_for_a_topic(topic: Vec<u8>) {
            let _ = topics().wish(&topic);
        }
    }
}
