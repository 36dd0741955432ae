// One-key commands: an element with data-key="a" is activated by that key; `?` lists what this page has.
const list = document.getElementById("keys-list");
const help = document.getElementById("keys");
const typing = (target) => target.isContentEditable || target.closest("input:not([type=radio], [type=checkbox], [type=range]), textarea, select");
const shown = (element) => element.offsetParent !== null || element.closest(".nav");
let prefix = "";
let forget = 0;

// One's own keys, as the server keeps them: usual key to own one.
const own = JSON.parse(document.body.dataset.keys ?? "{}");
const mine = (key) => own[key] ?? key;

function commands() {
  const found = new Map();
  for (const element of document.querySelectorAll("[data-key]")) {
    const key = mine(element.dataset.key);
    if (!found.has(key) && shown(element)) found.set(key, element);
  }
  return found;
}

function listKeys() {
  list.replaceChildren();
  const fixed = [["Ctrl K", help.dataset.palette]];
  const own = [...commands()].map(([key, element]) => [key, element.dataset.keyLabel ?? element.getAttribute("aria-label") ?? element.textContent.trim()]);
  for (const [key, label] of [...fixed, ...own]) {
    const term = document.createElement("dt");
    for (const part of key.split(" ")) term.append(Object.assign(document.createElement("kbd"), { textContent: part }), " ");
    list.append(term, Object.assign(document.createElement("dd"), { textContent: label.replace(/\s*\d*$/, "") }));
  }
  help.showModal();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "?") return listKeys();
  const found = commands();
  const key = prefix + event.key;
  const element = found.get(key);
  clearTimeout(forget);
  prefix = "";
  if (element) {
    event.preventDefault();
    element.click();
  } else if ([...found.keys()].some((other) => other.startsWith(`${key} `))) {
    prefix = `${key} `;
    forget = setTimeout(() => (prefix = ""), 1200);
  }
}

document.addEventListener("keydown", pressed);
