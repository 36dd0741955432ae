// Zoom and drag for graphs; without this they scroll. A refreshed region keeps the size and place it was given.
const SMALLEST = 0.25;
const LARGEST = 2;
const scales = new Map(); // region id -> scale chosen by the reader

const regionOf = (graph) => graph.closest("[id]")?.id ?? "";
const fitting = (pane, drawing) => Math.min(1, pane.clientWidth / drawing.viewBox.baseVal.width);

function apply(graph) {
  const drawing = graph.querySelector(".dag");
  const { width, height } = drawing.viewBox.baseVal;
  // Text smaller than this cannot be read: what does not fit then scrolls.
  const scale = scales.get(regionOf(graph)) ?? Math.max(0.72, fitting(drawing.parentElement, drawing));
  drawing.setAttribute("width", Math.round(width * scale));
  drawing.setAttribute("height", Math.round(height * scale));
}

function zoom(graph, how) {
  const drawing = graph.querySelector(".dag");
  const now = drawing.width.baseVal.value / drawing.viewBox.baseVal.width;
  const next = how === "fit" ? fitting(drawing.parentElement, drawing) : how === "in" ? now * 1.25 : now / 1.25;
  scales.set(regionOf(graph), Math.min(LARGEST, Math.max(SMALLEST, next)));
  apply(graph);
}

function applyAll() {
  for (const graph of document.querySelectorAll("[data-graph]")) apply(graph);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-graph-zoom]");
  if (button) zoom(button.closest("[data-graph]"), button.dataset.graphZoom);
});

let drag = null;

document.addEventListener("pointerdown", (event) => {
  const pane = event.target.closest?.(".graph-pane");
  if (!pane || event.button !== 0 || event.pointerType === "touch" || event.target.closest("a")) return;
  drag = { pane, x: event.clientX + pane.scrollLeft, y: event.clientY + pane.scrollTop };
  pane.dataset.panning = "";
});

document.addEventListener("pointermove", (event) => {
  if (drag) drag.pane.scrollTo(drag.x - event.clientX, drag.y - event.clientY);
});

document.addEventListener("pointerup", () => {
  if (drag) delete drag.pane.dataset.panning;
  drag = null;
});

/** Where the drawing is larger than its pane, start at what is going on. */
function showWork() {
  for (const pane of document.querySelectorAll(".graph-pane")) {
    const node = pane.querySelector(".node[aria-current]") ?? pane.querySelector(".node:is(.s-waiting, .s-running)");
    if (!node) continue;
    const [box, frame] = [node.getBoundingClientRect(), pane.getBoundingClientRect()];
    pane.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
    pane.scrollTop += box.top + box.height / 2 - frame.top - frame.height / 2;
  }
}

applyAll();
showWork();
document.addEventListener("htmx:after:swap", applyAll);
window.addEventListener("resize", applyAll);
