// Dialogs: `data-dialog` links open their page in one; `data-confirm` asks once before a form is sent.
const dialog = document.getElementById("dialog");
const body = document.getElementById("dialog-body");
const confirmation = document.getElementById("confirm");
let opener = null;

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
  if (event.target instanceof HTMLDialogElement) event.target.close(); // the backdrop
});

document.addEventListener("htmx:after:swap", () => {
  if (!body.childElementCount || dialog.open) return;
  dialog.showModal();
  (body.querySelector("[autofocus]") ?? body.querySelector("input:not([type=hidden]), select, textarea"))?.focus();
});

dialog.addEventListener("close", () => {
  body.replaceChildren();
  opener?.focus();
});

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
