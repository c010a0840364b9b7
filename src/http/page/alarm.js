// The alert that cannot be overlooked: the whole screen, title, sound and vibration. Escape makes it a bar that stays, and
// every new stage makes it large again; nothing but an answer, or the car, ends it.

import { ask } from "./unit.js";
import { clock, events } from "./events.js";
import { $, on, setText } from "./dom.js";

const PATH = "/api/v1/childcare/vehicles/self/child-alert/";
const CONFIDENCE = { direct: "A sensor sees somebody", occupancy: "A rear seat is in use", inferred: "A rear door was used before the drive" };
const BUTTONS = { safe: "safe", "bar-safe": "safe", snooze: "snooze" };
const BEAT_MS = 1200;

// The event that is shown now, and the one at which it was made small.
let shownId = 0;
let smallId = 0;
let audio = null;
let isSoundWanted = true;
let say = () => {};
let whenAnswered = () => {};

export function heat(cabin) {
	if (!cabin || cabin.temperature === undefined) return "How warm it is inside is not known.";
	const about = cabin.estimated ? "about " : "";
	const rise = cabin.minutesTo35 === undefined ? "" : cabin.minutesTo35 === 0 ? " – hot!" : `, 35 °C in ${Math.round(cabin.minutesTo35)} min`;
	return `Inside ${about}${cabin.temperature.toFixed(1)} °C${rise}`;
}

export function show() {
	const now = events.running();
	const id = now?.event.eventId ?? 0;
	const isQuiet = Boolean(now?.snooze);
	// What was said of one event must not stand beside the next.
	if (id !== shownId) setText("alarm-note", "");
	shownId = id;
	document.title = now ? `${isQuiet ? "Snoozed: child" : "CHILD"} LEFT BEHIND – Telltale` : "Telltale";
	// A new stage is another event: it takes the whole screen again.
	const isLarge = Boolean(now) && !isQuiet && smallId !== id;
	if (now) tell(now);
	$("bar").hidden = !now || isLarge;
	$("larger").hidden = isQuiet;
	enlarge(isLarge);
}

function tell({ event, snooze }) {
	const child = event.child || {};
	const until = snooze && clock(snooze.timestamp, snooze.child.seconds);
	setText("alarm-title", child.stage === "escalated" || child.stage === "repeated" ? "Child STILL in the car" : "Child left behind in the car");
	setText("alarm-place", event.lastLocation.address);
	const unsure = child.degraded ? " (a sensor is missing)" : "";
	setText("alarm-detail", `${CONFIDENCE[child.confidence] || "Somebody may be in the back"}${unsure} · ${clock(event.timestamp)}`);
	setText("alarm-heat", heat(child.cabin));
	setText("bar-title", snooze ? `Child in the car – snoozed until ${until}` : "A child is left behind in the car");
	$("bar").dataset.state = snooze ? "snoozed" : "running";
}

function enlarge(isLarge) {
	const dialog = $("alarm");
	if (isLarge === dialog.open) return;
	if (!isLarge) return dialog.close();
	dialog.showModal();
	// Focus on the words, so that a key pressed by habit answers nothing.
	$("alarm-title").focus();
	return beat();
}

// Sound and vibration, as far as the browser lets a page that was touched once.
export function isLoud() {
	return Boolean(audio) && audio.state === "running" && isSoundWanted;
}

export function wantSound(isWanted) {
	isSoundWanted = isWanted;
	return unlock();
}

async function unlock() {
	if (!isSoundWanted || !window.AudioContext) return;
	audio = audio || new AudioContext();
	if (audio.state !== "running") await audio.resume().catch(() => {});
}

function beat() {
	if (!$("alarm").open) return;
	if (isLoud()) beep();
	if (navigator.vibrate && audio) navigator.vibrate([400, 150, 400]);
	setTimeout(beat, BEAT_MS);
}

function beep() {
	const tone = audio.createOscillator();
	const at = audio.currentTime;
	tone.type = "square";
	tone.frequency.setValueAtTime(880, at);
	tone.frequency.setValueAtTime(660, at + 0.25);
	tone.connect(audio.destination);
	tone.start(at);
	tone.stop(at + 0.5);
}

async function respond(kind) {
	const buttons = Object.keys(BUTTONS).map($);
	for (const button of buttons) button.disabled = true;
	try {
		const done = await ask(PATH + kind, "POST", { eventId: shownId });
		events.take(done);
		say(kind === "safe" ? "Thank you. The alert is over." : `Snoozed for ${done.child.seconds / 60} minutes.`);
		whenAnswered();
	} catch ({ status, message }) {
		const offline = "NOT confirmed: the car's unit cannot be reached from here. Look after the child yourself.";
		const words = status ? `Not done: ${message}.` : offline;
		setText("alarm-note", words);
		say(words);
	} finally {
		for (const button of buttons) button.disabled = false;
	}
}

export function begin(sayIt, answered) {
	[say, whenAnswered] = [sayIt, answered];
	for (const [name, kind] of Object.entries(BUTTONS)) on(name, "click", () => respond(kind));
	const shrink = () => {
		smallId = shownId;
		show();
		$("larger").focus();
	};
	on("smaller", "click", shrink);
	on("larger", "click", () => {
		smallId = 0;
		show();
	});
	on("alarm", "cancel", (event) => {
		event.preventDefault();
		shrink();
	});
	// However a browser came to close it: the alert stays, as a bar.
	on("alarm", "close", () => {
		const now = events.running();
		if (now && !now.snooze && smallId !== shownId) shrink();
	});
	for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, unlock, { capture: true });
}
