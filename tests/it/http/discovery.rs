//! Discovery, seen by a browser of services on loopback.

use std::time::{Duration, Instant};

use mdns_sd::{IfKind, ServiceDaemon, ServiceEvent};

use super::door::Door;
use super::feed::VIN;
use crate::phone::GENEROUS;

#[tokio::test]
async fn a_phone_finds_the_unit_and_hears_its_goodbye() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::with(|settings| {
        settings.tls = vec!["127.0.0.1:0".parse().unwrap()];
        settings.discovery = true;
        settings.state = Some(folder.path().to_owned());
    })
    .await;
    let id = std::fs::read_to_string(folder.path().join("unit-id")).unwrap();
    let phone = ServiceDaemon::new().unwrap();
    phone.disable_interface(IfKind::All).unwrap();
    phone.enable_interface(IfKind::LoopbackV4).unwrap();
    let seen = phone.browse("_telltale._tcp.local.").unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let service = loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let resolved = seen.try_iter().find_map(|event| match event {
            ServiceEvent::ServiceResolved(service) if service.get_fullname().contains(&id) => Some(service),
            _ => None,
        });
        match resolved {
            Some(service) => break service,
            None if Instant::now() > deadline => {
                println!("passed over: nothing is heard by multicast here");
                return;
            }
            None => {}
        }
    };
    let pin = door.entrance.pin().unwrap();
    assert_eq!(service.get_hostname(), format!("telltale-{id}.local."));
    assert_eq!(service.get_port(), door.addresses[1].port());
    assert_eq!(service.get_property_val_str("id"), Some(id.as_str()));
    assert_eq!(service.get_property_val_str("pin"), Some(&pin[..16]));
    assert_eq!(service.get_property_val_str("version"), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(service.get_properties().len(), 3, "nothing else");
    assert!(!format!("{service:?}").contains(VIN));
    // The link of a pairing has that name, once it leads here.
    while !door.entrance.url().starts_with(&format!("https://telltale-{id}.local:")) {
        assert!(Instant::now() < deadline + GENEROUS, "{}", door.entrance.url());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    door.shutdown.cancel();
    door.serving.await.unwrap();
    loop {
        match seen.recv_timeout(GENEROUS).expect("a goodbye") {
            ServiceEvent::ServiceRemoved(_, name) if name.contains(&id) => break,
            _ => {}
        }
    }
    phone.shutdown().unwrap();
}
