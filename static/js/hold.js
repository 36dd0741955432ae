// Lists being read: say how much waits ("3 new"), show it on demand, and hold a region by its button.
// live.js holds what is pointed at or focused and tells the count; this module gives that a face.
const notes = (list) => list.querySelectorAll("[data-hold-note]");

document.addEventListener("wk:held", (event) => {
  const { count } = event.detail;
  for (const note of notes(event.target)) {
    note.hidden = count === 0;
    const number = note.querySelector("[data-hold-count]");
    if (number) number.textContent = String(count);
  }
});

document.addEventListener("click", (event) => {
  const note = event.target.closest("[data-hold-note]");
  if (note) note.closest("[data-live-hold]").dispatchEvent(new CustomEvent("wk:release", { bubbles: true }));
  const button = event.target.closest("[data-hold-toggle]");
  if (button) toggle(button);
});

// By id and not on the element: a fetch that was under way when the button was pressed would morph the mark away.
const stopped = new Map();

function toggle(button) {
  const id = button.dataset.holdToggle;
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  if (on) {
    stopped.set(id, 0);
    return;
  }
  const missed = stopped.get(id);
  stopped.delete(id);
  if (missed) document.getElementById(id)?.dispatchEvent(new CustomEvent("refresh"));
}

// While its button holds a region, what asks for a refresh is counted and stopped.
document.addEventListener(
  "refresh",
  (event) => {
    const { id } = event.target;
    if (!stopped.has(id)) return;
    event.stopImmediatePropagation();
    stopped.set(id, stopped.get(id) + 1);
  },
  { capture: true },
);

// A fetch that was under way: what it brings waits as well.
document.addEventListener("htmx:before:swap", (event) => {
  const region = event.detail.ctx.sourceElement;
  if (!region.matches?.("[data-live-topic]") || !stopped.has(region.id)) return;
  event.preventDefault();
  stopped.set(region.id, stopped.get(region.id) + 1);
});
