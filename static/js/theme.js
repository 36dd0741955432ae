// Apply the remembered look before the first paint, and change it. Runs in <head>, before anything is drawn.
(() => {
  const root = document.documentElement;
  root.dataset.js = "";

  const remembered = (name) => {
    try {
      return localStorage.getItem(`watchkeeper:${name}`) ?? "";
    } catch {
      return ""; // storage may be refused; the look then lasts for this page
    }
  };

  const apply = (name, value) => {
    if (value) root.dataset[name] = value;
    else delete root.dataset[name];
  };

  const choose = (name, value) => {
    apply(name, value);
    try {
      localStorage.setItem(`watchkeeper:${name}`, value);
    } catch {
      return;
    }
  };

  const mark = () => {
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === (root.dataset.theme ?? "")));
    }
  };

  apply("theme", remembered("theme"));
  apply("nav", remembered("nav"));
  document.addEventListener("DOMContentLoaded", mark);
  document.addEventListener("htmx:after:swap", mark);
  document.addEventListener("click", (event) => {
    const theme = event.target.closest("[data-theme-choice]");
    if (theme) {
      choose("theme", theme.dataset.themeChoice);
      mark();
    }
    if (event.target.closest("[data-nav-toggle]")) choose("nav", root.dataset.nav ? "" : "narrow");
  });
})();
