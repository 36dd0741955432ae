// The list: opens cards beside it, moves by key, and tells what became of rows while it holds still.
const wide = matchMedia("(min-width: 761px)");
const list = () => document.getElementById("inbox-list");
const links = () => [...document.querySelectorAll("#inbox-list .queue-row")];
const ASK_EVERY = 20000;
const SETTLE = 130; // ms: holding j down passes cards without opening each
let opening = 0;
let asking = 0;
let request = null; // for the card of a row, under way
let verdict = null; // request with a verdict, under way
let next = ""; // gate to open once that verdict is answered

const openedGate = () => document.getElementById("card")?.dataset.gate ?? "";
const gateOf = (link) => link.closest("[data-row]").dataset.row;

function mark(gate = openedGate()) {
  for (const link of links()) {
    if (gateOf(link) === gate) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function open(link) {
  clearTimeout(opening);
  if (verdict) return void (next = gateOf(link));
  document.dispatchEvent(new CustomEvent("wk:leave-card"));
  mark(gateOf(link));
  htmx.trigger(link, "open");
}

function step(by) {
  const all = links();
  if (!all.length) return;
  const at = all.findIndex((link) => link.getAttribute("aria-current") === "true");
  const link = all[Math.min(all.length - 1, Math.max(0, at + by))];
  if (!wide.matches) return location.assign(link.href);
  mark(gateOf(link));
  link.scrollIntoView({ block: "nearest" });
  clearTimeout(opening);
  opening = setTimeout(open, SETTLE, link);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest(".queue-row");
  const plain = !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0;
  if (link && plain && wide.matches) {
    event.preventDefault();
    open(link);
  }
  const stepper = event.target.closest("[data-step]");
  if (stepper) step(Number(stepper.dataset.step));
  if (event.target.closest("[data-open-row]")) document.getElementById("card-title")?.focus();
  if (event.target.closest("[data-find]")) document.querySelector("#inbox-filter [type=search]").select();
});

// What a row says about itself may change in place; rows never move while the list is being read.
function paint({ settled, looking }) {
  for (const link of links()) {
    const gate = gateOf(link);
    const note = link.querySelector("[data-row-note]");
    if (settled[gate]) {
      link.dataset.settled = "";
      note.textContent = settled[gate];
    } else if (looking[gate]) {
      note.textContent = looking[gate];
      note.dataset.looking = "";
    } else if ("looking" in note.dataset) {
      note.textContent = "";
      delete note.dataset.looking;
    }
  }
}

async function ask() {
  const ids = links().map(gateOf);
  if (!ids.length || document.hidden) return;
  const answer = await fetch(`${list().dataset.standing}?ids=${ids.join(",")}`).catch(() => null);
  if (answer?.ok && !answer.redirected) paint(await answer.json());
}

document.addEventListener("wk:held", (event) => {
  clearTimeout(asking);
  if (event.target === list() && event.detail.count) asking = setTimeout(ask, 200);
});

// An empty desk opens what arrives; nobody is reading there. A phone shows list and card as pages of their own.
function welcome() {
  const [first] = links();
  if (first && wide.matches && document.querySelector("#card.is-empty")) open(first);
}

document.addEventListener("htmx:after:swap", (event) => {
  mark();
  if (event.detail.ctx?.sourceElement?.id === "inbox-list") welcome();
});

// A verdict and a row both lead to another card. The verdict is answered first, because it may be refused and then its
// card must stay; else the row is opened.
function sent({ detail: { ctx } }) {
  if (ctx.sourceElement.matches(".queue-row")) request = ctx;
  if (ctx.sourceElement.id !== "decision") return;
  verdict = ctx;
  next = "";
  if (!request) return;
  next = gateOf(request.sourceElement);
  request.request.abort();
}

function answered({ detail: { ctx } }) {
  if (ctx === request) request = null;
  if (ctx !== verdict) return;
  verdict = null;
  const link = links().find((one) => gateOf(one) === next);
  if (link && ctx.response?.status < 400) open(link);
}

document.addEventListener("htmx:before:request", sent);
document.addEventListener("htmx:finally:request", answered);

// What one has put aside comes back by itself, at its time.
setInterval(() => {
  const region = list();
  if (!region?.dataset.wakes || Date.parse(region.dataset.wakes) > Date.now()) return;
  delete region.dataset.wakes;
  region.dispatchEvent(new CustomEvent("refresh"));
}, 1000);

setInterval(ask, ASK_EVERY);
mark();
