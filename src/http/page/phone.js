// This phone and the others: sound, paired devices, signing out.

import { ask } from "./unit.js";
import { $, on, make, refill, setText, twice } from "./dom.js";
import { isLoud, wantSound } from "./alarm.js";

const PATH = "/api/v1/devices";
let own = null;
let say = () => {};

// The list is for those who may do something about it.
export async function load() {
	const { devices } = await ask(PATH);
	own = devices.find((device) => device.current);
	$("devices-part").hidden = !own?.scopes.includes("admin");
	refill($("devices"), devices, (list) => devices.forEach((device) => row(list, device)));
}

function row(list, device) {
	const item = make("li", "", list, "row");
	const words = make("div", "", item);
	make("strong", device.current ? `${device.name} (this phone)` : device.name, words);
	make("div", `${device.member} · ${device.scopes.join(", ")}`, words, "small");
	if (!device.current) twice(item, `Revoke ${device.name}`, () => revoke(device));
}

async function revoke({ id, name }) {
	const done = ask(`${PATH}/${id}`, "DELETE");
	say(await done.then(() => `${name} is revoked.`, ({ message }) => `Not revoked: ${message}.`));
	$("sign-out").focus();
	await load().catch(() => {});
}

// Tells the unit to forget this phone too; it may be out of reach, and the phone forgets all the same.
export async function leave() {
	if (own) await ask(`${PATH}/${own.id}`, "DELETE").catch(() => {});
	own = null;
}

function showSound() {
	setText("sound", isLoud() ? "Sound: on" : "Sound: tap to turn on");
	$("sound").setAttribute("aria-pressed", String(isLoud()));
}

export function begin(sayIt) {
	say = sayIt;
	// The first touch anywhere turns sound on where the browser lets it; the button says how it is, and was.
	on("sound", "click", () => wantSound($("sound").getAttribute("aria-pressed") !== "true"));
	for (const gesture of ["click", "keyup"]) addEventListener(gesture, () => setTimeout(showSound, 200));
}
