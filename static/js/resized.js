// A text field keeps the height that a person drew it to when its form is answered. htmx copies a `style` as an attribute,
// which the content security policy refuses; set through the field's own style object it is allowed. Tools that look
// over the page (password managers, test drivers) leave empty ones on other fields, too: those go.
const heights = new Map(); // id of a field -> its height

document.addEventListener("htmx:before:swap", (event) => {
  for (const field of event.detail.ctx.target?.querySelectorAll?.("[id][style]") ?? []) {
    if (field.style.height) heights.set(field.id, field.style.height);
    field.removeAttribute("style");
  }
});

document.addEventListener("htmx:after:swap", () => {
  for (const [id, height] of heights) {
    const field = document.getElementById(id);
    if (field) field.style.height = height;
  }
  heights.clear();
});
