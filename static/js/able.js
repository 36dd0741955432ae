// Says how long a card is actively looked at, in steps of five seconds, and what of it was opened. The server counts no
// more than has passed; only the reader is shown their own figures.
const STEP = 5; // seconds
const IDLE = 30000; // without a key, a pointer or a scroll for so long nobody is taken to be reading
const LOOK = 2000; // ms that evidence is before one's eyes until it counts as seen
const HERE_EVERY = 60000;

let gate = "";
let shown = null; // the first part of the evidence: a card is drawn anew in place, and keeps its gate and its element
let active = 0;
let touched = Date.now();
let evidence = false;
let run = false;
let looking = 0;

const card = () => document.getElementById("card");
const token = () => JSON.parse(document.body.getAttribute("hx-headers:inherited"))["X-CSRFToken"];

async function post(address, fields = {}) {
  if ("onlyLooks" in document.body.dataset) return null; // through somebody else's eyes
  const headers = { "X-CSRFToken": token() };
  return fetch(address, { method: "POST", body: new URLSearchParams(fields), headers, keepalive: true }).catch(() => null);
}

async function report(seconds) {
  const address = card()?.dataset.activity;
  if (!address) return;
  const answer = await post(address, { seconds, evidence: evidence ? "1" : "", run: run ? "1" : "" });
  if (!answer?.ok || answer.redirected || !answer.headers.get("Content-Type")?.includes("json")) return;
  const { pause } = await answer.json();
  const note = document.getElementById("break");
  if (note) note.hidden = !pause;
}

function isRead() {
  const open = card()?.dataset.activity && card().offsetParent !== null;
  return open && !document.hidden && document.hasFocus() && Date.now() - touched < IDLE;
}

function tick() {
  prepare();
  if (!isRead()) return;
  active += 1;
  if (active < STEP) return;
  active = 0;
  report(STEP);
}

const watcher = new IntersectionObserver((entries) => {
  clearTimeout(looking);
  if (!entries.some((entry) => entry.isIntersecting)) return;
  looking = setTimeout(() => (evidence = isRead() || evidence), LOOK);
});

/** Watch what evidence there is; with another card, begin at nothing. */
function prepare() {
  const parts = document.querySelectorAll("#card .evidence li");
  if ((parts[0] ?? null) !== shown) {
    shown = parts[0] ?? null;
    watcher.disconnect();
    for (const part of parts) watcher.observe(part);
  }
  const now = card()?.dataset.gate ?? "";
  if (now === gate) return;
  [gate, active, evidence, run] = [now, 0, false, false];
  if (gate) report(0);
}

for (const kind of ["keydown", "pointerdown", "pointermove", "wheel", "scroll", "touchstart"]) {
  document.addEventListener(kind, () => (touched = Date.now()), { capture: true, passive: true });
}
document.addEventListener("click", (event) => {
  if (!event.target.closest('#card a[href^="/runs/"]')) return;
  run = true;
  report(0);
}, { capture: true });
document.addEventListener("auxclick", (event) => {
  if (event.target.closest('#card a[href^="/runs/"]')) { run = true; report(0); }
}, { capture: true });
document.addEventListener("submit", (event) => {
  const note = event.target.closest("#break");
  if (!note) return;
  event.preventDefault();
  note.hidden = true;
  post(event.target.action);
});

function here() {
  const address = document.getElementById("break")?.dataset.here;
  if (address && !document.hidden) post(address);
}

here();
setInterval(here, HERE_EVERY);
setInterval(tick, 1000);
