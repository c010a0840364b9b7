// The stream, read with `fetch`: the token stands in a header and in no address, and every byte is a sign of life, where an
// `EventSource` does not notice a dead connection. A heartbeat comes every 5 s; 20 s without a byte are the end of one.

import { authorization, isSignedIn } from "./unit.js";

const DEAD_MS = 20000;
const STALE_MS = 9000;

// Server-sent events (WHATWG HTML, 9.2.6; lines end as the unit ends them, with LF) out of pieces of any size. What no blank
// line has ended is no event, and its id does not count.
export function parser(dispatch) {
	let rest = "";
	let [name, data, id, last] = ["", [], null, ""];
	const line = (text) => {
		if (text === "") {
			if (id !== null) last = id;
			if (data.length) dispatch({ name: name || "message", data: data.join("\n"), id: last });
			[name, data, id] = ["", [], null];
			return;
		}
		const colon = text.indexOf(":");
		const field = colon < 0 ? text : text.slice(0, colon);
		const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
		if (field === "event") name = value;
		else if (field === "data") data.push(value);
		else if (field === "id") id = value;
		else if (field === "retry") dispatch({ name: field, data: value, id: last });
	};
	return (text) => {
		const lines = (rest + text).split("\n");
		rest = lines.pop();
		lines.forEach(line);
	};
}

export class Link {
	// `on` has a function for each event's name, and `change` for every change of the connection.
	constructor(on) {
		this.on = on;
		this.forget();
		setInterval(() => this.watch(), 1000);
		// A phone that wakes up has a dead connection, more often than not.
		document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.wake());
		for (const event of ["pageshow", "online", "focus"]) addEventListener(event, () => this.wake());
		addEventListener("offline", () => this.lose());
	}

	// Seconds since the last byte.
	age() {
		return this.heardAt ? (Date.now() - this.heardAt) / 1000 : Infinity;
	}

	open() {
		this.close();
		if (!isSignedIn()) return;
		const abort = new AbortController();
		this.abort = abort;
		this.begunAt = Date.now();
		this.read(abort).catch(() => {}).then(() => this.abort === abort && this.again());
	}

	close() {
		clearTimeout(this.timer);
		if (this.abort) this.abort.abort();
		this.abort = null;
		this.isOpen = false;
	}

	forget() {
		this.close();
		[this.lastId, this.begunAt, this.heardAt, this.lostAt, this.attempts, this.retryMs] = ["", 0, 0, 0, 0, 0];
	}

	async read(abort) {
		const headers = { ...authorization(), Accept: "text/event-stream" };
		if (this.lastId) headers["Last-Event-ID"] = this.lastId;
		const answer = await fetch("/api/my-events", { headers, credentials: "omit", cache: "no-store", signal: abort.signal });
		if (answer.status === 401 || answer.status === 204) return this.on.refused();
		if (!answer.ok) return;
		const take = parser((event) => this.abort === abort && this.told(event));
		const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
		for (;;) {
			const { done, value } = await reader.read();
			if (done || this.abort !== abort) return;
			this.heardAt = Date.now();
			if (!this.isOpen) {
				[this.isOpen, this.attempts, this.lostAt] = [true, 0, 0];
				this.on.change();
			}
			take(value);
		}
	}

	told({ name, data, id }) {
		if (name === "retry") this.retryMs = Number(data);
		else if (name === "heartbeat") this.on.heartbeat();
		else if (this.on[name]) this.on[name](JSON.parse(data));
		if (id) this.lastId = id;
	}

	// The connection is gone: since when is said from the last byte on.
	lose() {
		this.lostAt = this.lostAt || this.heardAt || Date.now();
		this.isOpen = false;
		this.on.change();
	}

	again() {
		this.close();
		this.lose();
		if (!isSignedIn()) return;
		const step = 500 * 2 ** Math.min(this.attempts, 4);
		// A unit that is full asks for more patience than its usual 2 s.
		const asked = this.retryMs > 5000 ? this.retryMs : 0;
		[this.attempts, this.retryMs] = [this.attempts + 1, 0];
		this.timer = setTimeout(() => this.open(), Math.max(asked, step * (0.75 + Math.random() / 2)));
	}

	// Opens anew at once what does not look alive.
	wake() {
		if (!isSignedIn() || (this.isOpen && this.age() * 1000 < STALE_MS)) return;
		// One that is just being opened gets its time.
		if (this.abort && !this.isOpen && Date.now() - this.begunAt < 3000) return;
		this.lose();
		this.attempts = 0;
		this.open();
	}

	watch() {
		const quiet = Date.now() - Math.max(this.heardAt, this.begunAt);
		if (this.abort && quiet > DEAD_MS) this.again();
		this.on.change();
	}
}
