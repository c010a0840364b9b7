// Asking the unit: requests with the token of this device, and what went wrong in words for people.

const KEPT = "telltale.token";
const PATIENCE_MS = 15000;

let token = localStorage.getItem(KEPT);
let whenRefused = () => {};

export const kept = () => token;
export const isSignedIn = () => Boolean(token);
export const authorization = () => ({ Authorization: `Bearer ${token}` });

export function keep(newToken) {
	token = newToken;
	if (token) localStorage.setItem(KEPT, token);
	else localStorage.removeItem(KEPT);
}

// What is to be done when the unit does not know this device any more.
export function onRefused(act) {
	whenRefused = act;
}

// The unit's refusal; without a `status` it could not be reached, and what became of the request is not known.
function refusal(words, status = 0) {
	return Object.assign(new Error(words), { status });
}

async function send(path, method, body, headers) {
	const signal = AbortSignal.timeout(PATIENCE_MS);
	try {
		const answer = await fetch(path, { method, body: body && JSON.stringify(body), headers, signal, credentials: "omit", cache: "no-store" });
		return { answer, told: answer.status === 204 ? {} : await answer.json() };
	} catch {
		throw refusal("the car's unit cannot be reached from this phone now");
	}
}

export async function ask(path, method = "GET", body = null) {
	const sent = token;
	const { answer, told } = await send(path, method, body, { ...authorization(), "Content-Type": "application/json" });
	if (answer.status === 401 && sent === token) whenRefused();
	if (!answer.ok) throw refusal(told.detail, answer.status);
	return told;
}

// The token that a pairing code is worth.
export async function pair(code, device) {
	const { answer, told } = await send("/api/v1/pair", "POST", { code, device }, { "Content-Type": "application/json" });
	if (!answer.ok) throw refusal(told.detail, answer.status);
	return told.token;
}
