// Short messages: those the server sent with the page, those it sends as a `toast` event (HX-Trigger), and failures.
const shelf = document.getElementById("toasts");
const template = document.getElementById("toast-template");

function show({ text, tone = "accent", stay = false }) {
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.classList.add(`is-${tone}`);
  toast.querySelector("p").textContent = text;
  toast.querySelector("button").addEventListener("click", () => toast.remove());
  shelf.append(toast);
  if (!stay) setTimeout(() => toast.remove(), 7000);
}

for (const toast of shelf.children) if (!toast.querySelector("a")) setTimeout(() => toast.remove(), 9000);

shelf.addEventListener("click", (event) => {
  if (event.target.closest("a, [data-dismiss]")) event.target.closest(".toast").remove(); // an offer stays until it is taken or refused
});

document.addEventListener("toast", (event) => show(event.detail));

// A server error must not replace the region that asked: what was shown stays, and the failure is said.
// A region that refreshes by itself says so once, and tries again by itself (live.js).
const stale = new Set();
// What to say of an answer that is an error: worded by the server, in the language of the page.
const words = template.dataset;

document.addEventListener("htmx:before:swap", (event) => {
  const { response, sourceElement } = event.detail.ctx;
  const region = sourceElement?.dataset?.liveTopic ? sourceElement.id : "";
  if (!response || (response.status < 500 && ![403, 404, 429].includes(response.status))) return stale.delete(region);
  event.preventDefault();
  if (region && stale.has(region)) return;
  if (region) stale.add(region);
  const text = words[`answer-${response.status}`] ?? words.broken.replace("CODE", response.status);
  show({ text, tone: "failed" });
});

document.addEventListener("htmx:error", (event) => {
  // Regions that refresh by themselves stay silent: the connection badge already says that the page is old.
  if (event.detail.ctx?.sourceElement?.dataset?.liveTopic) return;
  show({ text: words.silent, tone: "failed" });
});
