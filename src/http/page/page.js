// Follows one car. What is shown is a function of three things: the events known by their ids, the live picture, and
// whether the stream is open.

import { ask, isSignedIn, keep, kept, onRefused, pair } from "./unit.js";
import { Link } from "./link.js";
import { clock, day, describe, events } from "./events.js";
import { $, on, make, refill, setText } from "./dom.js";
import { Map2D } from "./map.js";
import * as alarm from "./alarm.js";
import * as fence from "./fence.js";
import * as phone from "./phone.js";
import * as picture from "./picture.js";

const STATE_EVERY_MS = 4500;
const NOT_PAIRED = "This phone is not paired any more. Pair it again.";
const VIEWS = ["where", "mapping", "past", "phone", "tabs"];

const map = new Map2D($("map"));
let polledAt = 0;
let head = 0;
let isReading = false;
let session = 0;
let saidTimer = 0;

// What was said is gone after a while, so that it does not stand beside what it is not about.
function say(text) {
	setText("note", text);
	clearTimeout(saidTimer);
	saidTimer = setTimeout(() => setText("note", ""), 60000);
}

function showEvents() {
	const known = events.newestFirst();
	const list = $("events");
	list.dataset.twins = events.twins;
	refill(list, known.map(({ eventId, ended }) => [eventId, ended]), () => {
		let date = "";
		for (const event of known) {
			const today = day(event.timestamp);
			if (today !== date) make("li", today, list, "day");
			date = today;
			const item = make("li", "", list);
			item.dataset.severity = event.severity;
			item.dataset.id = event.eventId;
			make("strong", describe(event), item);
			make("time", clock(event.timestamp), item).dateTime = event.timestamp;
			item.append(` ${event.lastLocation.address}`);
		}
	});
	$("older").hidden = Boolean(events.isAll());
	setText("past-end", events.isAll());
}

function show() {
	alarm.show();
	showEvents();
}

async function readOlder() {
	if (isReading || !head) return;
	isReading = true;
	await events.older(head).catch((error) => say(`No history: ${error.message}.`));
	isReading = false;
	show();
}

async function poll() {
	if (!isSignedIn() || document.visibilityState === "hidden" || Date.now() - polledAt < STATE_EVERY_MS) return;
	polledAt = Date.now();
	const [of, before] = [session, events.running()];
	try {
		const [state, child] = await Promise.all([ask("/api/v1/vehicles/self/state"), ask("/api/v1/childcare/vehicles/self/child-alert")]);
		if (of !== session) return;
		picture.showState(state, child.data || {});
		map.moveTo(state.location);
		fence.showInside(state.geofences);
		await events.agree(child.data || {}, before);
		show();
	} catch {
		// The line on top says that there is no connection; the next heartbeat tries again.
	}
}

// The way of the last day, where the unit tells it.
async function readTrack() {
	const { features } = await ask("/api/v1/telemetry/history?format=geojson");
	map.before(features.map(({ geometry: { coordinates: [longitude, latitude] } }) => ({ longitude, latitude })));
}

function showLink() {
	const age = link.age();
	const state = !isSignedIn() ? "off" : link.isOpen ? "live" : "lost";
	$("link").dataset.state = state;
	const since = link.lostAt ? ` since ${clock(link.lostAt)}` : "";
	const lost = link.heardAt ? `connection lost${since}, trying again` : "connecting";
	setText("link-words", { off: "not connected", live: "live", lost }[state]);
	setText("link-age", state === "off" || age === Infinity || (link.isOpen && age < 8) ? "" : `· picture ${picture.span(age)} old`);
	picture.showAge();
}

const link = new Link({
	message(event) {
		events.take(event, true);
		head = Math.max(head, event.eventId || 0);
		show();
		if (event.eventType === "CHILD_SEAT_REMINDER") say("Look at the rear seats before you go.");
	},
	// The head at connecting: where history begins to be read backwards.
	position({ eventId }) {
		head = Math.max(head, eventId);
		if (events.from === null) readOlder();
	},
	// Something between is not told any more: what is left of it is read anew.
	gap({ to }) {
		head = Math.max(head, to);
		events.from = null;
		readOlder();
	},
	gps({ lastLocation }) {
		picture.moveTo(lastLocation);
		map.moveTo(lastLocation);
	},
	status: ({ status }) => picture.showDiagnosis(status),
	heartbeat: () => poll(),
	revoked: () => signOut(NOT_PAIRED),
	refused: () => signOut(NOT_PAIRED),
	change: () => showLink(),
});

function signIn(token) {
	forget();
	keep(token);
	showViews(true);
	say("");
	link.open();
	poll();
	// What fails of these is asked for again later, or is not there.
	for (const load of [fence.load, phone.load, readTrack]) load().catch(() => {});
}

function signOut(why) {
	keep(null);
	forget();
	showViews(false);
	say(why);
}

function forget() {
	[session, head, polledAt] = [session + 1, 0, 0];
	link.forget();
	events.clear();
	map.forget();
	picture.forget();
	fence.forget();
	show();
	showLink();
}

function showViews(isIn) {
	for (const form of document.forms) form.reset();
	for (const id of VIEWS) $(id).hidden = !isIn;
	$("sign-in").hidden = isIn;
	look(isIn ? "car" : "start");
}

function look(view) {
	$("main").dataset.view = view;
	for (const tab of $("tabs").children) tab.setAttribute("aria-current", tab.dataset.to === view ? "page" : "false");
	if (view === "more") phone.load().catch(() => {});
	scrollTo(0, 0);
	map.due();
}

// A link brings a pairing code or a token in its fragment, which no request holds; it is taken out of the address at once.
function arrive() {
	const fragment = new URLSearchParams(location.hash.slice(1));
	history.replaceState(null, "", location.pathname);
	const code = fragment.get("pair");
	const token = fragment.get("token") || (code ? null : kept());
	if (token) return signIn(token);
	signOut("");
	$("code").value = code;
	return $("device").select();
}

function begin() {
	onRefused(() => signOut(NOT_PAIRED));
	alarm.begin(say, show);
	fence.begin(map, say);
	phone.begin(say);
	on("pair-form", "submit", (event) => {
		event.preventDefault();
		pair($("code").value.replace(/\s/g, ""), $("device").value.trim()).then(signIn, (error) => say(`Not paired: ${error.message}.`));
	});
	on("sign-out", "click", () => phone.leave().then(() => signOut("Signed out on this phone.")));
	on("older", "click", readOlder);
	new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && events.from !== null && readOlder()).observe($("older"));
	on("tabs", "click", ({ target }) => target.dataset.to && look(target.dataset.to));
	on("follow", "click", () => map.follow());
	on("zoom-in", "click", () => map.zoom(1.6));
	on("zoom-out", "click", () => map.zoom(1 / 1.6));
	addEventListener("hashchange", () => location.hash.length > 1 && arrive());
	document.addEventListener("visibilitychange", () => poll());
	arrive();
}

begin();
