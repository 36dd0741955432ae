// The command palette: Ctrl-K, arrows, Enter. The results are links that the server rendered.
const palette = document.getElementById("palette");
const form = palette?.querySelector("form");
const input = form?.elements.q;
const results = document.getElementById("palette-results");
const items = () => [...results.querySelectorAll("a")];
let chosen = 0;
let answered = null; // the text that the results are for
let isEager = false; // Enter was pressed before they were

function open() {
  if (palette.open) return;
  palette.showModal();
  answered = null;
  isEager = false;
  input.select();
  htmx.trigger(form, "open");
}

function choose(index) {
  const all = items();
  chosen = all.length ? (index + all.length) % all.length : 0;
  all.forEach((item, i) => item.setAttribute("aria-selected", String(i === chosen)));
  if (all[chosen]) input.setAttribute("aria-activedescendant", all[chosen].id);
  all[chosen]?.scrollIntoView({ block: "nearest" });
}

/** Go to the chosen result; what is still shown for an earlier text is not it. */
function go() {
  isEager = answered !== input.value;
  if (!isEager) items()[chosen]?.click();
}

function arrived({ detail: { ctx } }) {
  if (ctx.sourceElement !== form) return;
  answered = new URL(ctx.request.action, location.href).searchParams.get("q");
  // A page that is called what was typed comes before one whose name only holds it.
  const named = items().findIndex((item) => item.textContent.trim().toLowerCase().startsWith(answered.trim().toLowerCase()));
  choose(Math.max(0, named));
  if (isEager) go();
}

function moved(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) choose(chosen + step);
  else if (event.key === "Enter") go();
  else if (event.key === "Escape") palette.close(); // a search field would first be emptied
  else return;
  event.preventDefault();
}

if (palette) {
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    open();
  });
  for (const way of document.querySelectorAll("[data-palette-open]")) {
    way.addEventListener("click", (event) => {
      event.preventDefault();
      open();
    });
  }
  // htmx looks at the page a moment after it is there: somebody quick has opened this, and typed, by then.
  form.addEventListener("htmx:after:init", () => palette.open && htmx.trigger(form, "open"), { once: true });
  input.addEventListener("keydown", moved);
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", () => (isEager = false));
  document.addEventListener("htmx:after:swap", arrived);
  results.addEventListener("click", (event) => {
    if (event.target.closest("a[data-dialog]")) palette.close(); // the act's own dialog follows
  });
}
