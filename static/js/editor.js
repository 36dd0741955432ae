// The editor of definitions: numbered lines, Enter keeps the indentation, a problem leads to its line.
const source = document.getElementById("source");
const gutter = document.getElementById("gutter");
let numbered = 0;

function number() {
  const lines = source.value.split("\n").length;
  if (lines === numbered) return;
  numbered = lines;
  gutter.textContent = Array.from({ length: lines }, (_, at) => at + 1).join("\n");
}

function follow() {
  gutter.scrollTop = source.scrollTop;
}

function go(line) {
  const lines = source.value.split("\n");
  const at = Math.min(line, lines.length) - 1;
  const start = lines.slice(0, at).reduce((sum, text) => sum + text.length + 1, 0);
  source.focus();
  source.setSelectionRange(start, start + lines[at].length);
  source.scrollTop = Math.max(0, at - 4) * parseFloat(getComputedStyle(source).lineHeight);
  source.scrollIntoView({ block: "nearest" });
}

source.addEventListener("input", number);
source.addEventListener("scroll", follow);

source.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
  const before = source.value.slice(0, source.selectionStart);
  const indent = /(?:^|\n)([ ]*)[^\n]*$/.exec(before)[1];
  if (!indent) return;
  event.preventDefault();
  source.setRangeText(`\n${indent}`, source.selectionStart, source.selectionEnd, "end");
  source.dispatchEvent(new Event("input", { bubbles: true }));
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-go-line]");
  if (button) go(Number(button.dataset.goLine));
});

number();
