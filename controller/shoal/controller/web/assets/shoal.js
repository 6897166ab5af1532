"use strict";

// Shows the live part of the page as the controller sends it; falls back to asking for it, and says
// so when what is shown is old.
const STALE_MS = 5000;
const POLL_MS = 2000;

const panel = document.getElementById("panel");
const badge = document.getElementById("badge");
let heard = performance.now();
let source = null;

function alive() {
  heard = performance.now();
  say("live", "live");
}

function show(html) {
  alive();
  const parsed = new DOMParser().parseFromString(html, "text/html");
  panel.replaceChildren(...parsed.body.childNodes);
}

function say(state, text) {
  if (badge.textContent !== text) {
    badge.className = "badge " + state;
    badge.textContent = text;
    document.title = state === "live" ? "Shoal" : `Shoal: ${text}`;
  }
}

function listen() {
  source = new EventSource("live");
  source.onmessage = (event) => show(JSON.parse(event.data));
  source.addEventListener("same", alive);
}

async function poll() {
  const age = performance.now() - heard;
  if (age < STALE_MS) {
    return;
  }
  say("stale", `stale for ${Math.round(age / 1000)} s`);
  try {
    const answer = await fetch("panel", { cache: "no-store" });
    if (answer.ok) {
      show(await answer.text());
    }
  } catch {
    // The badge says it already; the next round asks again.
  }
  if (source.readyState === EventSource.CLOSED) {
    listen();
  }
}

listen();
setInterval(poll, POLL_MS);
