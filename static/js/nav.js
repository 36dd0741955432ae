// Menus: one open at a time, closed by Escape (focus returns to what opened it) and by a click elsewhere.
const openMenus = () => [...document.querySelectorAll("details.menu[open]")];

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A row of tabs that is wider than the page shows the tab one is on, also once the page has become narrower.
const atTab = new ResizeObserver((rows) => {
  for (const { target: row } of rows) {
    const tab = row.querySelector("[aria-current]");
    row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
  }
});
for (const row of document.querySelectorAll(".tabs:has(> [aria-current])")) atTab.observe(row);
