// The car as it is: doors, seats, lock, ignition, temperature, and what its ECUs say is wrong. What is unknown says so.

import { $, make, refill, setText } from "./dom.js";
import { heat } from "./alarm.js";

const PLACES = {
	"Row1.DriverSide": "driver's",
	"Row1.PassengerSide": "front passenger's",
	"Row2.DriverSide": "rear, driver's side",
	"Row2.Middle": "rear middle",
	"Row2.PassengerSide": "rear, passenger's side",
	"Row3.DriverSide": "third row, driver's side",
	"Row3.Middle": "third row, middle",
	"Row3.PassengerSide": "third row, passenger's side",
};
const IGNITION = { ON: "On", START: "Starting", READY: "On", ACC: "Off, accessories on", OFF: "Off", LOCK: "Off" };
const UNKNOWN = "unknown";

let seen = null;

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function moveTo(location) {
	seen = { location, at: Date.now() };
	setText("address", location.address);
	showAge();
}

// A position's own age goes on while nothing comes.
export function showAge() {
	if (!seen) return;
	const { latitude, longitude, accuracy = 0, speed, age = 0 } = seen.location;
	if (latitude === undefined) return setText("position", "not found by the receiver yet");
	const old = age + (Date.now() - seen.at) / 1000;
	const pace = speed === undefined ? "" : speed < 3 ? " · standing" : ` · ${Math.round(speed)} km/h`;
	const ago = old < 10 ? "" : ` · seen ${span(old)} ago`;
	return setText("position", `${latitude.toFixed(5)}, ${longitude.toFixed(5)} ± ${Math.round(accuracy)} m${pace}${ago}`);
}

export function span(seconds) {
	if (seconds < 90) return `${Math.round(seconds)} s`;
	return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

// What follows is each a text, or several, and how it looks. First the doors of which something is known.
function those(of, what, value) {
	return Object.keys(PLACES).filter((place) => of(`Cabin.Door.${place}.${what}`) === value).map((place) => PLACES[place]);
}

function doors(of) {
	paint("door", (place) => of(`Cabin.Door.${place}.IsOpen`), "open", "closed");
	const open = those(of, "IsOpen", true);
	if (of("Body.Trunk.Rear.IsOpen")) open.push("trunk");
	if (open.length) return [capital(`${open.join("; ")} open`), "warn"];
	return [those(of, "IsOpen", false).length ? "Closed, as far as is known" : UNKNOWN];
}

function lock(of) {
	const whole = of("Cabin.IsLocked");
	if (whole === false || those(of, "IsLocked", false).length) return ["Not locked"];
	const locked = those(of, "IsLocked", true).join("; ");
	return [whole ? "Locked" : locked ? `Locked: ${locked}` : UNKNOWN];
}

function seats(of) {
	const about = (place) => ["IsOccupied", "IsBelted"].map((what) => of(`Cabin.Seat.${place}.${what}`));
	paint("seat", (place) => about(place)[0], "occupied", "free");
	const known = Object.keys(PLACES).filter((place) => about(place).some((value) => value !== undefined));
	const used = known.filter((place) => about(place).includes(true));
	const words = (place) => {
		const [isOccupied, isBelted] = about(place);
		return `${capital(PLACES[place])}: ${isOccupied ? "occupied" : "empty"}, ${isBelted ? "belted" : isBelted === false ? "not belted" : "belt unknown"}`;
	};
	if (!known.length) return [UNKNOWN];
	return [used.length ? used.map(words) : "All free"];
}

function paint(what, of, yes, no) {
	for (const shape of $("drawing").querySelectorAll(`.${what}`)) {
		const value = of(shape.dataset.at);
		shape.dataset.state = value === undefined ? UNKNOWN : value ? yes : no;
	}
}

function warmth(of, cabin = {}) {
	const [inside, outside] = [of("Cabin.HVAC.AmbientAirTemperature"), of("Exterior.AirTemperature")];
	const warm = { temperature: inside, ...cabin };
	const { trend = 0 } = cabin;
	const way = Math.abs(trend) < 0.05 ? "" : `${trend > 0 ? "rising" : "falling"} ${Math.abs(trend).toFixed(1)} °C a minute`;
	const around = outside === undefined ? "" : `outside ${Math.round(outside)} °C`;
	const isHot = warm.temperature >= 30 || cabin.minutesTo35 <= 10;
	return [[heat(warm), way, around].filter(Boolean).join(", "), isHot ? "bad" : ""];
}

function rear(of) {
	const isSeen = of("Cabin.RearOccupant.IsDetected");
	if (isSeen === undefined) return [UNKNOWN];
	return isSeen ? [`Sees somebody${of("Cabin.RearOccupant.IsMoving") ? ", moving" : ""}`, "warn"] : ["Sees nobody"];
}

function ignition(of) {
	const volts = of("LowVoltageBattery.CurrentVoltage");
	return [(IGNITION[of("LowVoltageSystemState")] || UNKNOWN) + (volts === undefined ? "" : ` · battery ${volts.toFixed(1)} V`)];
}

export function showState({ signals, location }, child) {
	moveTo(location);
	const of = (path) => (signals[`Vehicle.${path}`] || {}).value;
	const facts = { Doors: doors(of), Lock: lock(of), Temperature: warmth(of, child.cabin), Seats: seats(of), "Rear-seat sensor": rear(of), Ignition: ignition(of) };
	refill($("facts"), facts, (list) => {
		for (const [name, [text, kind = ""]] of Object.entries(facts)) {
			make("dt", name, list);
			for (const line of [text].flat()) make("dd", line, list).className = kind;
		}
	});
}

export function showDiagnosis({ mil, codes }) {
	$("diagnosis").hidden = mil === undefined && codes === undefined;
	const lamp = mil === undefined ? "Nobody told whether the engine's warning lamp is lit." : "The engine's warning lamp is off.";
	setText("mil", mil ? "The engine's warning lamp is lit." : lamp);
	$("mil").className = mil ? "warn" : "";
	refill($("codes"), codes, (list) => {
		for (const { code, text, status, ecu } of codes || []) {
			const item = make("li", "", list);
			make("strong", code, item);
			item.append(` ${text || "(no text for this code)"}`);
			make("div", `${status.join(" · ").replace("previouslyActive", "active before")} · told by ECU ${ecu}`, item, "small");
		}
		if (codes && !codes.length) make("li", "No trouble codes.", list);
	});
}

export function forget() {
	seen = null;
	setText("address", "Waiting for the car's picture…");
	setText("position", "");
	refill($("facts"), null, () => {});
	showDiagnosis({});
}
