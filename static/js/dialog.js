// Dialogs: `data-dialog` links open their page in one; `data-confirm` asks once before a form is sent.
const dialog = document.getElementById("dialog");
const body = document.getElementById("dialog-body");
const confirmation = document.getElementById("confirm");
const RETURN = "wk-return"; // where the focus goes back to, over the loading of a page
let opener = null;
let pressedOn = null;

// Text that is selected to beyond the dialog's edge ends in a click on the dialog: whoever did that has not left it.
document.addEventListener("pointerdown", (event) => (pressedOn = event.target), { capture: true });

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    opener = link;
    htmx.ajax("GET", link.href, { target: body, swap: "innerHTML" });
  }
  if (event.target.closest("[data-dialog-close]")) {
    event.preventDefault();
    event.target.closest("dialog").close();
  }
  if (event.target instanceof HTMLDialogElement && event.target === pressedOn) event.target.close(); // the backdrop
});

document.addEventListener("htmx:after:swap", () => {
  if (!body.childElementCount) return;
  if (dialog.open) return keepFocus();
  dialog.showModal();
  (body.querySelector("[autofocus]") ?? body.querySelector("input:not([type=hidden]), select, textarea"))?.focus();
});

/** An answer has replaced what had the focus: what is wrong comes first, then what can be done next. */
function keepFocus() {
  if (dialog.contains(document.activeElement)) return;
  const next = ['[aria-invalid="true"]', "[autofocus]", ".dialog-foot :is(a, button)", "a, button"];
  next.map((what) => body.querySelector(what)).find(Boolean)?.focus();
}

/** A link within a menu that is closed cannot have the focus; what opens the menu can. */
const reachable = (link) => link?.closest("details:not([open])")?.querySelector("summary") ?? link;

dialog.addEventListener("submit", () => opener && sessionStorage.setItem(RETURN, opener.getAttribute("href")));
dialog.addEventListener("close", () => {
  body.replaceChildren();
  sessionStorage.removeItem(RETURN);
  reachable(opener)?.focus();
});

// An act that was done loads its page anew: whoever works by keyboard goes on where the dialog was opened from.
const left = sessionStorage.getItem(RETURN);
sessionStorage.removeItem(RETURN);
if (left) {
  const link = document.querySelector(`a[data-dialog][href="${CSS.escape(left)}"]`);
  (reachable(link) ?? document.getElementById("main"))?.focus({ preventScroll: true });
}

document.addEventListener(
  "submit",
  (event) => {
    const asker = event.submitter?.dataset.confirm ? event.submitter : event.target;
    if (!asker.dataset.confirm || asker.dataset.confirmed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.getElementById("confirm-text").textContent = asker.dataset.confirm;
    document.getElementById("confirm-yes").textContent = asker.dataset.confirmAction ?? event.submitter?.textContent ?? "OK";
    confirmation.returnValue = "no";
    confirmation.showModal();
    confirmation.addEventListener("close", () => send(event.target, event.submitter, asker), { once: true });
  },
  { capture: true },
);

function send(form, submitter, asker) {
  if (confirmation.returnValue !== "yes") return;
  asker.dataset.confirmed = "1";
  form.requestSubmit(submitter);
  delete asker.dataset.confirmed;
}
