// The events that are known, by their ids, and what they say in words. An id is a time, in microseconds: older ones are asked
// for by windows that grow while nothing is found in them.

import { ask } from "./unit.js";

const KEEP = 4000;
const WINDOW = 3600e6;
const ENOUGH = 40;
const PAGE = 300;
const KINDS = "types=child,geofence,diagnosis,trip";
const WORDS = {
	CHILD_LEFT_BEHIND: "Child left behind",
	CHILD_SEAT_REMINDER: "Look at the rear seats",
	CHILD_ALERT_SNOOZED: "Alert snoozed",
	CHILD_ALERT_ACKNOWLEDGED: "Alert answered: the child is safe",
	CHILD_ALERT_CLEARED: "Alert over",
	GEOFENCE_ENTER: "Came to",
	GEOFENCE_EXIT: "Left",
	GEOFENCE_DWELL: "Stays long at",
	GEOFENCE_OVERSPEED: "Too fast in",
	TRIP_START: "Trip begun",
	TRIP_END: "Trip ended",
	DTC_SET: "The car reports a fault:",
	DTC_CLEARED: "Fault gone:",
	MIL_ON: "The engine's warning lamp is lit",
	MIL_OFF: "The engine's warning lamp is off",
	CAN_BUS_FAULT: "A bus of the car is down",
	GNSS_LOST: "Position lost",
	SENSOR_STALE: "A sensor is silent",
	JOURNAL_DEGRADED: "Events cannot be stored",
};
const STAGES = { initial: "first warning", escalated: "urgent", repeated: "still there" };
const REASONS = {
	expired: "nobody answered",
	rear_door_opened: "a rear door was opened",
	driver_returned: "the driver is back",
	sensor_clear: "the sensor sees nobody any more",
};

export const events = {
	known: new Map(),
	// What the stream told twice; 0, or something is wrong.
	twins: 0,
	// Everything from here to the head is known, once history was asked for; nothing up to `floor`, as that was too much.
	from: null,
	first: null,
	floor: 0,

	clear() {
		this.known.clear();
		[this.twins, this.from, this.first, this.floor] = [0, null, null, 0];
	},

	// A replay may add that the alert has ended.
	take(event, isTold = false) {
		const before = this.known.get(event.eventId) || {};
		if (before.isTold && isTold) this.twins += 1;
		this.known.set(event.eventId, { ...before, ...event, isTold: isTold || before.isTold });
		if (this.known.size <= KEEP) return;
		this.floor = Math.min(...this.known.keys());
		this.known.delete(this.floor);
	},

	newestFirst() {
		return [...this.known.values()].sort((a, b) => b.eventId - a.eventId);
	},

	// The alert that runs: told and neither answered nor cleared since. A snooze keeps it running, quietly, until it ends.
	running() {
		let snooze = null;
		for (const event of this.newestFirst()) {
			if (event.eventType === "CHILD_ALERT_ACKNOWLEDGED" || event.eventType === "CHILD_ALERT_CLEARED") return null;
			if (event.eventType === "CHILD_ALERT_SNOOZED") snooze = snooze || event;
			if (event.eventType === "CHILD_LEFT_BEHIND") return event.ended ? null : { event, snooze };
		}
		return null;
	},

	// What the unit itself says of the alert, asked while `before` was the one running: an end that was not told ends it, and
	// one that was not told is looked for.
	async agree({ state, eventId }, before) {
		const now = this.running();
		if (state === "alert" || state === "snoozed") return now || this.range(eventId - WINDOW, eventId);
		if (!state || !now || !before || now.event !== before.event) return null;
		return this.take({ ...now.event, ended: now.event.eventId });
	},

	// Asks for what lies in (since, until], page by page.
	async range(since, until) {
		let found = 0;
		for (let at = since; at < until; ) {
			const { events: told, next } = await ask(`/api/v1/events?${KINDS}&limit=${PAGE}&since=${at}`);
			told.forEach((event) => this.take(event));
			found += told.length;
			if (next <= at) break;
			at = next;
		}
		return found;
	},

	// What happened before what is known: some, or all there is. `head` is where the unit is when nothing is known yet.
	async older(head) {
		if (this.first === null) {
			const { events: told, next } = await ask(`/api/v1/events?${KINDS}&limit=1&since=0`);
			this.first = told.length ? told[0].eventId - 1 : next;
		}
		let [at, found] = [this.from ?? head, 0];
		for (let window = WINDOW; at > this.end() && found < ENOUGH; window *= 4) {
			const below = Math.max(this.end(), at - window);
			found += await this.range(below, at);
			at = below;
		}
		this.from = at;
	},

	end() {
		return Math.max(this.first, this.floor);
	},

	// Why there is no more to show; nothing while there is.
	isAll() {
		if (this.from === null || this.first === null || this.from > this.end()) return "";
		return this.floor > this.first ? `This page shows the latest ${KEEP}.` : "That is all the unit has kept.";
	},
};

export function clock(timestamp, plusSeconds = 0) {
	return new Date(Number(new Date(timestamp)) + plusSeconds * 1000).toLocaleTimeString([], { timeStyle: "medium" });
}

export function day(timestamp) {
	return new Date(timestamp).toLocaleDateString([], { dateStyle: "full" });
}

export function describe(event) {
	const { geofence, child = {}, trip = {}, diagnosis = {} } = event;
	const words = WORDS[event.eventType] || event.eventType.replaceAll("_", " ").toLowerCase();
	const codes = (diagnosis.codes || []).map(({ code, text }) => (text ? `${code} (${text})` : code));
	const named = [words, geofence ? geofence.name || geofence.id : codes.join(", ")].filter(Boolean).join(" ");
	const { stage, reason, by } = child;
	const way = trip.distance === undefined ? "" : `${(trip.distance / 1000).toFixed(1)} km in ${Math.ceil(trip.duration / 60)} min`;
	return [named, STAGES[stage], REASONS[reason], by && `by ${by}`, way].filter(Boolean).join(" – ");
}
