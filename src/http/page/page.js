// Follows one car. What is shown is a function of three things: the events known by their ids, the live picture, and
// whether the stream is open. Text only ever goes into the page as text.
"use strict";

const KEEP_EVENTS = 300;
const SHOW_EVENTS = 50;
const STATE_EVERY_MS = 5000;
const ALERT_PATH = "/api/v1/childcare/vehicles/self/child-alert/";
const WORDS = {
  CHILD_LEFT_BEHIND: "Child left behind",
  CHILD_SEAT_REMINDER: "Look at the rear seats",
  CHILD_ALERT_SNOOZED: "Alert snoozed",
  CHILD_ALERT_ACKNOWLEDGED: "Alert answered: the child is safe",
  CHILD_ALERT_CLEARED: "Alert over",
  GEOFENCE_ENTER: "Entered",
  GEOFENCE_EXIT: "Left",
  GEOFENCE_DWELL: "Stayed in",
  GEOFENCE_OVERSPEED: "Too fast in",
  TRIP_START: "Trip begun",
  TRIP_END: "Trip ended",
  DTC_SET: "The car reports a fault:",
  DTC_CLEARED: "Fault gone:",
  MIL_ON: "The engine's warning lamp is lit",
  MIL_OFF: "The engine's warning lamp is off",
  BATTERY_LOW: "Battery low",
  BATTERY_RECOVERED: "Battery well again",
  COOLANT_OVERHEAT: "Coolant too hot",
  COOLANT_NORMAL: "Coolant well again",
  CAN_BUS_FAULT: "A bus of the car is down",
  CAN_BUS_RECOVERED: "The bus is back",
  GNSS_LOST: "Position lost",
  GNSS_RECOVERED: "Position back",
  SENSOR_STALE: "A sensor is silent",
  SENSOR_RECOVERED: "The sensor is back",
  JOURNAL_DEGRADED: "Events cannot be stored",
  JOURNAL_RECOVERED: "Events are stored again",
};

const $ = (id) => document.getElementById(id);
const events = new Map();
let token = localStorage.getItem("telltale.token");
let source = null;
let retry = 0;
let lastId = "";
let twins = 0;
let heardAt = 0;
let polledAt = 0;
let shownId = 0;

function make(tag, text, parent) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

function note(text) {
  $("note").textContent = text;
}

// ---- asking

async function ask(path, options = {}) {
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(path, { ...options, headers });
  if (answer.status === 401) {
    signOut("This device is not signed in any more. Pair it again, or give its token.");
  }
  const body = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) throw new Error(body.detail || `the unit answered ${answer.status}`);
  return body;
}

async function respond(kind, alert) {
  for (const button of [$("snooze"), $("safe")]) button.disabled = true;
  try {
    take(await ask(ALERT_PATH + kind, { method: "POST", body: JSON.stringify({ eventId: alert.eventId }) }));
    show();
    note(kind === "safe" ? "Thank you. The alert is over." : "Snoozed.");
  } catch (error) {
    note(`Not done: ${error.message}`);
  } finally {
    for (const button of [$("snooze"), $("safe")]) button.disabled = false;
  }
}

// ---- events

// Takes an event in; true when it is news. The same id twice is a twin, and counted.
function take(event, isTold = false) {
  if (typeof event.eventId !== "number") return false;
  const known = events.get(event.eventId);
  if (known && isTold && known.isTold) twins += 1;
  events.set(event.eventId, { ...event, isTold: isTold || Boolean(known && known.isTold) });
  if (events.size > KEEP_EVENTS) events.delete(Math.min(...events.keys()));
  return !known;
}

function newestFirst() {
  return [...events.values()].sort((a, b) => b.eventId - a.eventId);
}

// The alert that runs: told and neither answered nor cleared since. A snooze keeps it running, quietly.
function running() {
  let snooze = null;
  for (const event of newestFirst()) {
    if (event.eventType === "CHILD_ALERT_ACKNOWLEDGED" || event.eventType === "CHILD_ALERT_CLEARED") return null;
    if (event.eventType === "CHILD_ALERT_SNOOZED") snooze = snooze || event;
    if (event.eventType === "CHILD_LEFT_BEHIND") return event.ended ? null : { event, snooze };
  }
  return null;
}

function clock(timestamp, plusSeconds = 0) {
  const time = new Date(Date.parse(timestamp) + plusSeconds * 1000);
  return time.toLocaleTimeString([], { timeStyle: "medium" });
}

function showAlert() {
  const now = running();
  // What was said of one alert must not stand beside the next.
  const id = now ? now.event.eventId : 0;
  if (id !== shownId) note("");
  shownId = id;
  $("alert").hidden = !now;
  document.title = now ? "CHILD LEFT BEHIND – Telltale" : "Telltale";
  if (!now) return;
  const { event, snooze } = now;
  const child = event.child || {};
  $("alert").dataset.state = snooze ? "snoozed" : event.severity;
  setText("alert-title", snooze ? "Child left behind – snoozed" : "Child left behind");
  setText("alert-address", event.lastLocation.address);
  const stage = child.count ? `${child.stage}, ${child.count} times` : child.stage;
  const parts = [event.severity, stage, child.confidence && `${child.confidence} evidence`, `told at ${clock(event.timestamp)}`];
  if (snooze) parts.push(`quiet until ${clock(snooze.timestamp, (snooze.child || {}).seconds || 600)}`);
  setText("alert-detail", parts.filter(Boolean).join(" · "));
  setText("alert-heat", heat(child.cabin));
}

function heat(cabin) {
  if (!cabin || cabin.temperature === undefined) return "How warm it is inside is not known.";
  const about = cabin.estimated ? "about " : "";
  const rise = cabin.minutesTo35 === undefined ? "" : `, 35 °C in ${Math.round(cabin.minutesTo35)} min`;
  return `Inside ${about}${cabin.temperature.toFixed(1)} °C${rise}.`;
}

// An alert region speaks when its text changes, so it is left alone while it does not.
function setText(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function describe(event) {
  const fence = event.geofence && (event.geofence.name || event.geofence.id);
  const words = WORDS[event.eventType] || event.eventType.toLowerCase().replaceAll("_", " ");
  const codes = ((event.diagnosis || {}).codes || []).map(({ code, text }) => (text ? `${code} (${text})` : code));
  const what = [words, fence || codes.join(", ")].filter(Boolean).join(" ");
  return event.child && event.child.stage ? `${what} (${event.child.stage})` : what;
}

function showEvents() {
  const list = $("events");
  list.replaceChildren();
  for (const event of newestFirst().slice(0, SHOW_EVENTS)) {
    const item = make("li", "", list);
    item.dataset.severity = event.severity;
    make("time", clock(event.timestamp), item).dateTime = event.timestamp;
    item.append(" ");
    make("strong", describe(event), item);
    item.append(` ${event.lastLocation.address}`);
  }
  $("count").textContent = `${events.size} known, ${twins} told twice`;
}

function show() {
  showAlert();
  showEvents();
}

// ---- the live picture

function showPosition(location) {
  if (!location) return;
  $("address").textContent = location.address;
  const has = location.latitude !== undefined;
  const speed = location.speed === undefined ? "" : `, ${Math.round(location.speed)} km/h`;
  $("position").textContent = has
    ? `${location.latitude.toFixed(5)}, ${location.longitude.toFixed(5)} ± ${Math.round(location.accuracy)} m${speed}`
    : "";
}

// What the car says of itself; nothing at all while no ECU was heard.
function showDiagnosis({ mil, codes }) {
  $("diagnosis").hidden = mil === undefined && codes === undefined;
  const lamp = mil === undefined ? "Nobody told whether the engine's warning lamp is lit." : "The engine's warning lamp is off.";
  setText("mil", mil ? "The engine's warning lamp is lit." : lamp);
  const list = $("codes");
  list.replaceChildren();
  for (const { code, text, status, ecu } of codes || []) {
    const item = make("li", "", list);
    make("strong", code, item);
    item.append(` ${text || "no text for this code"} (${status.join(", ")}; told by ${ecu})`);
  }
  if (codes && codes.length === 0) make("li", "no trouble codes", list);
}

function showState(state) {
  showPosition(state.location);
  const fences = $("fences");
  fences.replaceChildren();
  for (const fence of state.geofences) {
    const inside = fence.inside === undefined ? "unknown" : fence.inside ? "inside" : "outside";
    make("li", `${fence.name || fence.id}: ${inside}`, fences);
  }
  if (state.geofences.length === 0) make("li", "none", fences);
  const rows = $("signals");
  rows.replaceChildren();
  for (const [path, signal] of Object.entries(state.signals)) {
    const row = make("tr", "", rows);
    make("th", path.replace(/^Vehicle\./, ""), row).scope = "row";
    const value = signal.value === undefined ? "unknown" : `${signal.value} ${signal.unit || ""}`;
    make("td", value.replace("celsius", "°C"), row);
    make("td", signal.age === undefined ? "" : `${signal.age.toFixed(1)} s`, row);
  }
}

async function poll() {
  if (!token || Date.now() - polledAt < STATE_EVERY_MS - 500) return;
  polledAt = Date.now();
  try {
    showState(await ask("/api/v1/vehicles/self/state"));
  } catch (error) {
    note(`No picture: ${error.message}`);
  }
}

// The last day, by the unit's own clock: ids are its milliseconds times a thousand.
async function readHistory() {
  const state = await ask("/api/v1/vehicles/self/state");
  let since = Math.max(0, (Date.parse(state.timestamp) - 86400000) * 1000);
  for (let page = 0; page < 20; page += 1) {
    const { events: told, next } = await ask(`/api/v1/events?limit=500&since=${since}`);
    told.forEach((event) => take(event));
    if (told.length === 0) break;
    since = next;
  }
  show();
}

// ---- the stream

function heard() {
  heardAt = Date.now();
  showLink();
}

function showLink() {
  const age = Math.round((Date.now() - heardAt) / 1000);
  const open = source && source.readyState === EventSource.OPEN;
  const state = open && age < 20 ? "live" : token ? "lost" : "off";
  const since = heardAt ? `, last picture ${age} s ago` : "";
  $("link").dataset.state = state;
  setText("link", { live: "live", lost: "no connection, trying again", off: "not connected" }[state] + since);
}

function connect() {
  const resume = lastId ? `&lastEventId=${encodeURIComponent(lastId)}` : "";
  source = new EventSource(`/api/my-events?token=${encodeURIComponent(token)}${resume}`);
  const on = (name, handle) =>
    source.addEventListener(name, (message) => {
      if (message.lastEventId) lastId = message.lastEventId;
      heard();
      handle(message.data);
    });
  on("message", (data) => {
    take(JSON.parse(data), true);
    show();
  });
  on("position", () => {});
  on("gap", () => readHistory().catch(() => {}));
  on("gps", (data) => showPosition(JSON.parse(data).lastLocation));
  on("status", (data) => {
    const { lastLocation, status } = JSON.parse(data);
    showPosition(lastLocation);
    showDiagnosis(status || {});
  });
  on("heartbeat", () => poll());
  on("revoked", () => signOut("This device was revoked. Pair it again."));
  source.onopen = heard;
  // A browser comes back by itself, unless the answer was no stream: then this does, and asks whether the token stands.
  source.onerror = () => {
    showLink();
    if (source && source.readyState === EventSource.CLOSED && token) {
      clearTimeout(retry);
      retry = setTimeout(() => ask("/api/v1/vehicles/self/state").then(connect, () => token && source.onerror()), 5000);
    }
  };
}

// ---- signing in and out

function signIn(newToken) {
  token = newToken;
  localStorage.setItem("telltale.token", token);
  $("sign-in").hidden = true;
  $("car").hidden = false;
  note("");
  connect();
  readHistory().then(poll, (error) => note(error.message));
}

function signOut(why) {
  if (source) source.close();
  clearTimeout(retry);
  source = null;
  token = null;
  lastId = "";
  events.clear();
  localStorage.removeItem("telltale.token");
  $("sign-in").hidden = false;
  $("car").hidden = true;
  show();
  note(why);
  showLink();
}

async function pair(code, device) {
  const answer = await fetch("/api/v1/pair", { method: "POST", body: JSON.stringify({ code, device }) });
  const body = await answer.json();
  if (answer.status === 201) signIn(body.token);
  else note(body.detail);
}

function begin() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  $("code").value = fragment.get("pair") || "";
  const brought = fragment.get("token") || (fragment.get("pair") ? null : token);
  if (brought) {
    if (source) source.close();
    signIn(brought);
  } else {
    signOut("");
  }
}

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn($("token").value.trim());
  $("token").value = "";
});
$("pair-form").addEventListener("submit", (event) => {
  event.preventDefault();
  pair($("code").value.trim(), $("device").value.trim()).catch((error) => note(error.message));
});
$("snooze").addEventListener("click", () => running() && respond("snooze", running().event));
$("safe").addEventListener("click", () => running() && respond("safe", running().event));
$("sign-out").addEventListener("click", () => signOut("Signed out here."));
addEventListener("hashchange", () => location.hash.length > 1 && begin());
setInterval(showLink, 1000);
begin();
