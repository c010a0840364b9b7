//! An event of each kind as it would be told now and here, for `debug`. None of it has happened.

use crate::event::{
    Cabin, Child, ChildStage, Confidence, Details, Diagnosis, Event, EventId, EventType, Geofence, GeofenceTransition, Severity,
    Trip,
};
use crate::feed::{Picture, Stored};

/// One of each kind, under this id.
pub(super) fn events(picture: &Picture, id: EventId) -> impl Iterator<Item = Stored> + '_ {
    let samples = [
        (EventType::ChildLeftBehind, Severity::Warning, Details::Child(child())),
        (EventType::GeofenceEnter, Severity::Info, Details::Geofence(geofence())),
        (EventType::BatteryLow, Severity::Warning, Details::Diagnosis(battery())),
        (EventType::TripEnd, Severity::Info, Details::Trip(trip(picture))),
    ];
    samples.into_iter().map(move |(event_type, severity, details)| {
        let event = Event {
            id,
            severity,
            stamp: picture.stamp,
            vin: picture.vin.clone(),
            location: picture.location.clone(),
            event_type: Some(event_type),
            details,
            durable: true,
        };
        stored(&event)
    })
}

fn child() -> Child {
    Child {
        stage: Some(ChildStage::Initial),
        confidence: Some(Confidence::Direct),
        since_locked: Some(10.0),
        cabin: Some(Cabin { temperature: Some(24.1), trend: Some(0.8), minutes_to_35: Some(14.0), estimated: false }),
        ..Child::default()
    }
}

fn geofence() -> Geofence {
    Geofence {
        id: "test".to_owned(),
        name: Some("Test".to_owned()),
        transition: GeofenceTransition::Enter,
        inside: true,
        held_for: Some(600.0),
        crossed: false,
        speed: None,
        limit: None,
    }
}

fn battery() -> Diagnosis {
    Diagnosis { source: "battery".to_owned(), value: Some(11.4), limit: Some(11.8), ..Diagnosis::default() }
}

fn trip(picture: &Picture) -> Trip {
    let here = || Some(picture.location.clone());
    Trip { distance: Some(12_345.0), duration: Some(1_200.0), top_speed: Some(87.5), start: here(), end: here() }
}

fn stored(event: &Event) -> Stored {
    Stored {
        id: event.id,
        kind: event.kind(),
        event_type: event.type_name().into(),
        severity: event.severity,
        member: None,
        alert: None,
        ended: None,
        json: event.to_json().into(),
        encoded: Default::default(),
    }
}
