// The card: verdicts by key, notes that are asked for, drafts, presence, and no decision on what may be old.
const DRAFT_AFTER = 700;
const PRESENT_EVERY = 12000;
const PATIENCE = 4; // seconds without a connection, then what is shown counts as old

const form = () => document.getElementById("decision");
const note = () => document.getElementById("note");
const status = () => document.getElementById("verdict-status");
const editor = () => document.getElementById("editor");
const verdicts = () => document.querySelectorAll("[data-verdict], [data-edit]");
const onlyLooks = "onlyLooks" in document.body.dataset; // through somebody else's eyes
const buttonOf = (verdict) => document.querySelector(`[data-send="${verdict}"]`);

let armed = "";
let offline = false;
let pressed = "";
let dirty = false;
let sending = false; // a verdict is under way
let drafting = 0;
let opened = ""; // gate whose card was prepared last

function say(text, tone = "") {
  if (!status()) return;
  status().textContent = text;
  status().dataset.tone = tone;
}

/** Verdicts are off while the card is settled, changed under the reader, or cut off from the server. */
function sync() {
  const blocked = document.getElementById("card-top")?.dataset.blocked;
  for (const button of verdicts()) button.disabled = Boolean(blocked) || offline;
  if (!form()) return;
  if (offline && !blocked) say(form().dataset.offline, "failed");
  else if (status().dataset.tone === "failed") say("");
}

function arm(button) {
  armed = button.dataset.send;
  for (const other of document.querySelectorAll("[data-verdict]")) other.toggleAttribute("data-armed", other === button);
  const missing = "needsNote" in button.dataset && !note().value.trim();
  const name = button.dataset.keyLabel ?? button.textContent.trim();
  say(missing ? form().dataset.missing : `${form().dataset.sends} ${name}`, missing ? "waiting" : "accent");
  button.closest("details.menu")?.removeAttribute("open"); // it would lie over the note
  const review = document.getElementById("review");
  if (review) review.dataset.seen = ""; // whoever goes on from it needs no focus on it
  note().focus();
}

function disarm() {
  armed = "";
  for (const other of document.querySelectorAll("[data-armed]")) other.removeAttribute("data-armed");
  if (status()?.dataset.tone !== "failed") say("");
}

/** Ctrl+Enter sends what was chosen by key; in the fields of an edit or a form it sends those. */
function send(from) {
  const review = document.querySelector("#review [data-send]");
  const inFields = from.closest?.("[data-answer]");
  const manual = buttonOf("complete");
  let button = armed ? buttonOf(armed) : null;
  if (inFields) button = editor() ? buttonOf("review") : manual;
  button ??= review ?? manual;
  if (button && !button.disabled) button.click();
}

function edit() {
  if (!editor()) return;
  editor().open = true;
  editor().scrollIntoView({ block: "start" });
  const words = editor().querySelector(":is(.is-line, .is-text, .is-lines) .input");
  (words ?? editor().querySelector(".field :is(input, textarea, select)"))?.focus({ preventScroll: true });
}

/** Before a submit, and before it is asked whether one is sure: a verdict that needs a reason has one. */
function chosen(event) {
  const button = event.target.closest("[data-verdict]");
  if (event.target.closest("[data-edit]")) return edit();
  if (!button) return;
  const own = JSON.parse(document.body.dataset.keys ?? "{}");
  const byKey = event.detail === 0 && pressed !== "" && pressed === (own[button.dataset.key] ?? button.dataset.key);
  const missing = "needsNote" in button.dataset && !note().value.trim();
  if (!byKey && !missing) return;
  event.preventDefault();
  event.stopPropagation();
  arm(button);
}

function keyed(event) {
  pressed = event.key;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !document.querySelector("dialog[open]")) {
    const remark = event.target.closest?.(".comment-form");
    if (!remark && !form()) return;
    event.preventDefault();
    if (remark) remark.requestSubmit();
    else send(event.target);
  }
  if (event.key === "Escape" && event.target.closest?.("#decision, [data-answer]")) {
    event.target.blur();
    disarm();
  }
}

// A verdict that needs a note is told again as soon as there is one.
function typed(event) {
  const control = event.target;
  if (control.form?.id !== "decision") return;
  dirty = true;
  clearTimeout(drafting);
  drafting = setTimeout(keep, DRAFT_AFTER);
  if (control === note() && armed) arm(buttonOf(armed));
  if (!control.closest("[data-answer]")) return;
  // The changes that were looked at are no longer the ones that would be sent, nor those that were warned of.
  document.getElementById("review")?.remove();
  form().elements.without_changes?.remove();
}

async function keep() {
  clearTimeout(drafting);
  const card = document.getElementById("card");
  if (!dirty || !form() || !card.dataset.draft || onlyLooks) return;
  dirty = false;
  const typing = new FormData(form());
  const hasFields = !editor() ? document.querySelector("[data-answer]") : editor().open;
  typing.set("open", hasFields ? "1" : "");
  const answer = await fetch(card.dataset.draft, { method: "POST", body: typing, keepalive: true }).catch(() => null);
  if (answer?.redirected) {
    dirty = true; // kept when they have signed in again
    document.dispatchEvent(new CustomEvent("wk:session-ended"));
  }
  if (armed || offline || sending) return;
  const clock = new Date().toLocaleTimeString(document.documentElement.lang, { hour12: false, timeZone: document.body.dataset.zone });
  if (answer?.status === 204) say(`${form()?.dataset.saved} ${clock}`);
  else say(form()?.dataset.unsaved ?? "", "waiting");
}

async function present() {
  const card = document.getElementById("card");
  if (!card?.dataset.presence || card.offsetParent === null || document.hidden || onlyLooks) return;
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { "X-CSRFToken": token };
  const body = new URLSearchParams({ version: card.dataset.version });
  const answer = await fetch(card.dataset.presence, { method: "POST", headers, body }).catch(() => null);
  if (!answer?.ok || answer.redirected || card !== document.getElementById("card")) return;
  const { looking } = await answer.json();
  const place = document.getElementById("card-looking");
  const words = looking.length === 1 ? place.dataset.one : place.dataset.many;
  place.textContent = looking.length ? words.replace("NAMES", looking.join(", ")) : "";
}

/** A new card is on the page: start at its top, with nothing chosen. */
function prepare() {
  const card = document.getElementById("card");
  if (!card) return;
  sync();
  grow();
  const review = document.getElementById("review");
  if (review && !("seen" in review.dataset)) {
    review.dataset.seen = "";
    review.scrollIntoView({ block: "start" });
    review.querySelector("button").focus({ preventScroll: true });
  }
  const wrong = card.querySelector('[aria-invalid="true"]:not([data-seen])');
  if (wrong) {
    wrong.dataset.seen = "";
    wrong.focus();
  }
  if (card.dataset.gate === opened) return;
  opened = card.dataset.gate ?? "";
  armed = "";
  dirty = false;
  present();
}

// A note grows with what is typed, up to a point.
function grow() {
  const area = note();
  if (!area) return;
  area.rows = Math.min(6, Math.max(1, area.value.split("\n").length + Math.floor(area.value.length / 110)));
}

document.addEventListener("keydown", keyed, { capture: true });
document.addEventListener("keyup", () => (pressed = ""), { capture: true });
document.addEventListener("click", chosen, { capture: true });
document.addEventListener("input", (event) => {
  typed(event);
  grow();
});
document.addEventListener("wk:leave-card", keep);
document.addEventListener("wk:signed-in", keep);
window.addEventListener("pagehide", keep);
document.addEventListener("submit", (event) => event.target.id === "decision" && (dirty = false));

document.addEventListener("wk:live", (event) => {
  const { state, age } = event.detail;
  const old = state === "offline" || state === "signed_out" || (state === "reconnecting" && age > PATIENCE);
  if (old !== offline) {
    offline = old;
    sync();
  }
});

// Answered or not, what was pressed is acknowledged at once, until it is answered: regions that refresh meanwhile, and a
// draft that is kept, have no say in that.
document.addEventListener("htmx:before:request", (event) => {
  if (event.detail.ctx.sourceElement?.id !== "decision") return;
  sending = true;
  say(form().dataset.sending, "accent");
});
document.addEventListener("htmx:finally:request", (event) => {
  if (event.detail.ctx.sourceElement?.id !== "decision") return;
  sending = false;
  if (status()?.textContent === form()?.dataset.sending) say("");
});

let hadFocus = false;
document.addEventListener("htmx:before:swap", (event) => {
  if (event.detail.ctx.sourceElement?.id !== "decision") return;
  hadFocus = true;
  // Otherwise htmx gives the focus to the next card's note, and a key pressed meanwhile ends up in there.
  document.activeElement?.blur();
});

document.addEventListener("htmx:after:swap", (event) => {
  const source = event.detail.ctx?.sourceElement;
  if (source?.matches?.("[data-reset]") && event.detail.ctx.response?.status === 200) source.reset();
  prepare();
  // After a verdict the reader goes on with the card that opened, not at the top of the page.
  if (hadFocus && !document.querySelector('#review, #card [aria-invalid="true"]')) document.getElementById("card-title")?.focus({ preventScroll: true });
  hadFocus = false;
});

prepare();
setInterval(present, PRESENT_EVERY);
