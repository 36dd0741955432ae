// A watch floor on a wall: a clock, no picture that burns in, a screen that does not sleep, and a fresh page each night.
// live.js reconnects; CSS says when what is shown is old (<html data-live>).
const root = document.documentElement;
const clock = document.querySelector("[data-wall-clock]");
const MINUTE = 60_000;
const PLACES = 9; // where the picture may stand: see wall.css
const TURN_EVERY = 20; // minutes: then the columns change sides
const FRESH_AFTER = 6 * 60; // minutes: a new page, with what was released meanwhile and without what leaked
const AWAKE = 4000;

function tell() {
  clock.textContent = new Date().toLocaleTimeString(root.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: document.body.dataset.zone });
}

// By the clock and not by counting: a screen that slept, or a tab that was held back, is not behind for it.
const began = Date.now();
function aMinuteLater() {
  const minutes = Math.floor((Date.now() - began) / MINUTE);
  root.dataset.wallPlace = String(minutes % PLACES);
  root.toggleAttribute("data-wall-turned", Math.floor(minutes / TURN_EVERY) % 2 === 1);
  if (minutes >= FRESH_AFTER) renew();
}

/** Only a server that answers is asked for a new page: an old picture that says so is better than an error page. */
async function renew() {
  if (root.dataset.live !== "live") return;
  const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null);
  if (answer?.ok && !answer.redirected) location.reload();
}

let sleeping = 0;
function wake() {
  root.dataset.awake = "";
  clearTimeout(sleeping);
  sleeping = setTimeout(() => delete root.dataset.awake, AWAKE);
}

async function stayOn() {
  if (document.hidden) return;
  await navigator.wakeLock?.request("screen").catch(() => null);
}

for (const kind of ["pointermove", "pointerdown", "keydown", "focusin"]) document.addEventListener(kind, wake);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) document.querySelector("[data-wall-leave]")?.click();
});
document.addEventListener("visibilitychange", stayOn);
root.dataset.wallPlace = "0";
tell();
stayOn();
setInterval(tell, 1000);
setInterval(aMinuteLater, MINUTE);
