// Fences: drawn with a finger, or typed in. Those of the unit's file and of the fleet cannot be changed here.

import { ask } from "./unit.js";
import { $, on, make, refill, setText, twice } from "./dom.js";
import { metres, place } from "./map.js";

const PATH = "/api/v1/geofences";
const HINT = "Put the finger on the middle and drag outwards.";

let map = null;
let say = () => {};
// What the finger drew, while the form is open.
let drawn = null;
let fences = [];
let inside = new Map();

export async function load() {
	fences = (await ask(PATH)).features;
	map.setFences(fences);
	list();
}

export function showInside(told) {
	inside = new Map(told.map((fence) => [fence.id, fence.inside]));
	if (told.length !== fences.length || fences.some(({ id }) => !inside.has(id))) load().catch(() => {});
	list();
}

function list() {
	refill($("fences"), fences.map((fence) => [fence, inside.get(fence.id)]), (ul) => {
		for (const fence of fences) row(ul, fence);
		if (!fences.length) make("li", "None yet.", ul);
	});
}

function row(ul, { id, properties: { name = id, source, speed_limit_kmh: speed, dwell_s: dwell } }) {
	const item = make("li", "", ul, "row");
	const words = make("div", "", item);
	make("strong", name, words);
	const where = { true: "the car is inside", false: "the car is outside" }[inside.get(id)] || "not known whether the car is inside";
	const more = [
		{ file: "the unit's own", fleet: "the fleet's" }[source],
		speed && `over ${speed} km/h`,
		dwell && `longer than ${Math.round(dwell / 60)} min`,
	];
	make("div", [where, ...more].filter(Boolean).join(" · "), words, "small");
	if (source === "phone") twice(item, `Delete ${name}`, () => remove(id, name));
}

async function remove(id, name) {
	const done = ask(`${PATH}/${encodeURIComponent(id)}`, "DELETE");
	say(await done.then(() => `The fence ${name} is deleted.`, ({ message }) => `Not deleted: ${message}.`));
	$("type-fence").focus();
	await load().catch(() => {});
}

const position = ({ longitude, latitude }) => [longitude, latitude].map((value) => Math.round(value * 1e7) / 1e7);

function circle(centre, radius) {
	return { geometry: { type: "Point", coordinates: position(centre) }, properties: { type: "Circle", radius: Math.round(radius), radius_units: "m" } };
}

// What the finger draws: a circle around where it came down.
function compass() {
	let from = null;
	let shape = null;
	const cancel = () => {
		shape = null;
		sketch(null);
	};
	return {
		cancel,
		down(at) { from = at; },
		move(to) {
			shape = circle(from, metres(from, to));
			sketch(shape);
		},
		up() {
			if (shape && shape.properties.radius >= 10) return open(shape);
			cancel();
			return setText("drawing-hint", `Too small for a fence. ${HINT}`);
		},
	};
}

function sketch(shape) {
	map.sketch = shape;
	map.due();
}

function draw() {
	const isOn = Boolean(map.pen);
	close();
	if (isOn) return;
	map.pen = compass();
	map.isFollowing = false;
	press();
	setText("drawing-hint", `${HINT} Escape, or the button again, ends drawing.`);
}

function press() {
	map.canvas.classList.toggle("drawing", Boolean(map.pen));
	$("draw").setAttribute("aria-pressed", String(Boolean(map.pen)));
}

function open(shape) {
	close();
	drawn = shape;
	$("fence-form").reset();
	const possible = { car: map.car, view: true, drawn };
	for (const option of $("fence-centre")) option.disabled = !possible[option.value];
	$("fence-centre").value = shape ? "drawn" : map.car ? "car" : "view";
	if (shape) $("fence-radius").value = shape.properties.radius;
	$("fence-form").hidden = false;
	$("fence-name").focus();
	sketch(shaped());
}

// Lays the pen down and puts the form away.
function close() {
	[map.pen, drawn] = [null, null];
	press();
	setText("drawing-hint", "");
	setText("fence-wrong", "");
	$("fence-form").hidden = true;
	sketch(null);
}

// The shape as the form has it now; null while it has none.
function shaped() {
	const middles = { car: () => map.car, view: () => map.middle(), drawn: () => place(drawn.geometry.coordinates) };
	const middle = middles[$("fence-centre").value]();
	const radius = $("fence-radius").valueAsNumber;
	return middle && radius > 0 ? circle(middle, radius) : null;
}

async function save(event) {
	event.preventDefault();
	const shape = shaped();
	const name = $("fence-name").value.trim();
	if (!shape || !name) return setText("fence-wrong", "A fence needs a name, a middle and a radius.");
	const properties = { ...shape.properties, name };
	if ($("fence-speed").value) properties.speed_limit_kmh = $("fence-speed").valueAsNumber;
	if ($("fence-dwell").value) properties.dwell_s = $("fence-dwell").valueAsNumber * 60;
	try {
		await ask(`${PATH}/phone-${Date.now().toString(36)}`, "PUT", { type: "Feature", geometry: shape.geometry, properties });
	} catch (error) {
		return setText("fence-wrong", `Not saved: ${error.message}.`);
	}
	say(`The fence ${name} is saved.`);
	leave();
	return load().catch(() => {});
}

function leave() {
	close();
	$("type-fence").focus();
}

export function begin(theMap, sayIt) {
	[map, say] = [theMap, sayIt];
	on("draw", "click", draw);
	on("type-fence", "click", () => open(null));
	on("fence-form", "submit", save);
	on("fence-form", "input", () => sketch(shaped()));
	on("fence-cancel", "click", leave);
	on("mapping", "keydown", (event) => event.key === "Escape" && (map.pen || !$("fence-form").hidden) && leave());
}

export function forget() {
	close();
	[fences, inside] = [[], new Map()];
	list();
}
