//! **Telltale**: the daemon of a vehicle's telematics unit. It reads CAN and GNSS, decides on the spot (a child left
//! behind, a fence crossed, a condition of the car), remembers, and tells phones on the local network by Server-Sent
//! Events. A telltale is the lamp on the dashboard that tells of a condition (ISO 2575).
//!
//! # The way of the data
//!
//! ```text
//! CAN  ─► can ─────────┐                                                    ┌─► http      phones: SSE, pages, API
//! GNSS ─► gnss ────────┼─► vehicle::State ─► detect::Engine ─► journal ─────┤
//! ECUs ◄► diagnostics ─┤     (what is)       (what it means)  (what was)    └─► upstream  fleet: MQTT, HTTPS
//! sim  ─► all three ───┘
//! ```
//!
//! One direction, no way back. Sources turn bytes into *observations* in the field's own terms: VSS signals, fixes, trouble codes. The
//! engine holds the latest observation of everything and asks each detector what it means. Events go to the journal
//! first; what is in the journal is shown to phones and sent to the fleet. What a person or the fleet wants (an alert answered, a fence drawn) comes in at the front
//! like everything else, as a [`request`] with a slot for the reply.
//!
//! # The house
//!
//! A module uses only what stands on its row; `tests/it/floors.rs` holds every `crate::` against it.
//!
//! | floor | module | holds | may use |
//! |---|---|---|---|
//! | 1 | [`clock`] | boot time for logic, wall time for stamps, scaled clocks | nothing |
//! | 1 | [`metrics`], [`health`] | counters; what `/healthz` says | nothing |
//! | 1 | [`geo`] | points, distances, rings, fences, GeoJSON | nothing |
//! | 1 | [`vehicle`] | signals (VSS), values with an age, fixes, raw frames and sentences, the state of it all | `clock`, `geo` |
//! | 1 | [`event`] | what an event is, its kinds, its JSON | `clock`, `vehicle`, `geo` |
//! | 1 | [`request`] | what may be asked, and the answer | `event`, `geo` |
//! | 1 | [`feed`] | the trait that the doors read | `event`, `request`, `vehicle`, and the types those are made of |
//! | 2 | [`can`], [`gnss`] | bytes to observations: sockets at the edge, pure decoders inside | floor 1 |
//! | 2 | [`places`] | names of positions, offline | floor 1 |
//! | 2 | [`diagnostics`] | ISO-TP, OBD-II, UDS, J1939, the poller | floor 1, `can` |
//! | 2 | [`detect`] | the engine, and one pure state machine a file | floor 1; no tokio, files, clocks, SQL |
//! | 2 | [`journal`] | SQLite behind `feed` | floor 1 |
//! | 3 | [`http`] | listeners, TLS, discovery, limits, sign-in, the stream, one file a surface, the page | floor 1 |
//! | 3 | [`upstream`] | one loop with a durable cursor; MQTT and HTTPS behind one trait | floor 1 |
//! | 3 | [`sim`] | a scripted car that emits raw frames and sentences, and its ECUs | floor 1, `can`, `diagnostics` |
//! | 4 | [`config`] | reads files, merges board, vehicle and site | all below, for their settings types |
//! | 4 | [`gateway`] | the wiring of one vehicle; start, stop, supervision | all below |
//! | 5 | `commands` | the command line, one file a subcommand | all |
//!
//! # What is always true
//!
//! 1. **A detector is a function.** The same observations give the same events at any speed: a replay and the daemon run
//!    the same engine, and a recorded drive is a test.
//! 2. **Persist, then show, then advance.** An event is durable before any client sees it. While the journal cannot be
//!    written, alerts are still told, marked `"durable": false`, and written later under the same ids.
//! 3. **Two classes of data.** Events carry an id, are never dropped or merged. Telemetry carries none and is
//!    latest-value.
//! 4. **The journal is the slow reader's buffer.** A connection holds a position, not a queue.
//! 5. **Listen only.** Until the owner sets `diagnostics.transmit`, no socket of the daemon can send a frame, and then only
//!    requests that read ([`diagnostics::request`], [`diagnostics::j1939::Emission`]). A controller that could acknowledge
//!    one is refused unless its bus says otherwise, or ECUs are asked there.
//! 6. **Missing is not false.** Never seen, invalid or stale is *unknown*; a detector says what it does with unknown, and
//!    fails toward the alert.
//! 7. **Two kinds of time.** Logic runs on boot time, stamps on wall time with its source. A step of the wall clock
//!    changes no decision. The daemon never sets the system's clock.
//! 8. **Bounded everywhere.** What is dropped is counted in a metric of that name.
//! 9. **No heap allocation per CAN frame or NMEA sentence** once running.
//! 10. **The engine never waits**: not for a disk, not for a phone.
//! 11. **Errors have a place and a cure.** A fault of one source degrades that source, never the daemon.

pub mod can;
pub mod clock;
pub mod commands;
pub mod config;
pub mod detect;
pub mod diagnostics;
pub mod event;
pub mod feed;
pub mod gateway;
pub mod geo;
pub mod gnss;
pub mod health;
pub mod http;
pub mod journal;
pub mod metrics;
pub mod places;
pub mod request;
pub mod sim;
pub mod upstream;
pub mod vehicle;
