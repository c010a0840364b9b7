//! Where the stories take place: made-up addresses in the east of Mannheim, from where Bertha Benz set out on the first
//! long journey by car in 1888. The fences around them are in `fences.geojson`.

use super::route::Route;
use crate::geo::Point;

const fn at(latitude: f64, longitude: f64) -> Point {
    Point { latitude, longitude }
}

/// The kerb before the house. Every story begins and ends here.
pub(super) const HOME: Point = at(49.48310, 8.48400);
const SCHOOL: Point = at(49.48266, 8.48610);
const OFFICE: Point = at(49.48310, 8.48937);
const POUND: Point = at(49.48126, 8.48599);

/// To the office, past the school.
pub(super) static HOME_TO_OFFICE: Route =
    Route { corners: &[HOME, SCHOOL, at(49.48238, 8.48741), at(49.48340, 8.48792), OFFICE], limit: 45.0, tunnel: None };

/// As far as the school.
pub(super) static HOME_TO_SCHOOL: Route = Route { corners: &[HOME, SCHOOL], limit: 45.0, tunnel: None };

/// From there on.
pub(super) static SCHOOL_TO_OFFICE: Route =
    Route { corners: &[SCHOOL, at(49.48238, 8.48741), at(49.48340, 8.48792), OFFICE], limit: 45.0, tunnel: None };

/// Home round the other side of the block.
pub(super) static OFFICE_TO_HOME: Route = Route {
    corners: &[OFFICE, at(49.48290, 8.49029), at(49.48384, 8.49076), at(49.48523, 8.48419), at(49.48327, 8.48321), HOME],
    limit: 50.0,
    tunnel: None,
};

/// To the office on the bypass, most of which runs underground.
pub(super) static HOME_TO_OFFICE_UNDERGROUND: Route = Route {
    corners: &[HOME, at(49.48293, 8.48479), at(49.47780, 8.48223), at(49.47725, 8.48485), at(49.48340, 8.48792), OFFICE],
    limit: 60.0,
    tunnel: Some((130.0, 1300.0)),
};

/// What the tow truck takes.
pub(super) static HOME_TO_POUND: Route =
    Route { corners: &[HOME, at(49.48293, 8.48479), at(49.48165, 8.48415), POUND], limit: 35.0, tunnel: None };

/// And how the car gets back from there.
pub(super) static POUND_TO_HOME: Route = Route {
    corners: &[POUND, at(49.48109, 8.48677), at(49.48015, 8.48630), at(49.48104, 8.48210), at(49.48327, 8.48321), HOME],
    limit: 50.0,
    tunnel: None,
};
