"use strict";

const SHOWN = 50;
const NAMES = ["child", "geofence", "diagnosis", "trip", "gps", "debug", "position", "gap", "revoked"];
const element = (id) => document.getElementById(id);
let source = null;

function tell(text) {
  element("state").textContent = text;
}

function show(event) {
  const line = document.createElement("li");
  line.textContent = `${event.type}  ${event.data}`;
  const packets = element("packets");
  packets.prepend(line);
  while (packets.childElementCount > SHOWN) packets.lastElementChild.remove();
}

// A ticket of this browser's own session, if it has one.
async function ticket() {
  try {
    const answer = await fetch("/ActiveSession/AboutMe");
    return answer.ok ? (await answer.json()).data.UrlToken : "";
  } catch {
    return "";
  }
}

function stop() {
  if (source) source.close();
  source = null;
}

async function start() {
  stop();
  const token = element("token").value.trim() || (await ticket());
  const query = new URLSearchParams({ want: element("want").value });
  if (token) query.set("token", token);
  const stream = new EventSource(`/eventsource?${query}`);
  source = stream;
  tell("Connecting.");
  stream.onopen = () => tell("Connected.");
  stream.onerror = () => {
    const over = stream.readyState === EventSource.CLOSED;
    tell(over ? "Refused: is the token right, and does `want` name a keyword?" : "Cut off; trying again.");
  };
  for (const name of NAMES) stream.addEventListener(name, show);
  stream.addEventListener("revoked", () => {
    stop();
    tell("The token was revoked.");
  });
}

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
element("stop").addEventListener("click", () => {
  stop();
  tell("Not connected.");
});
