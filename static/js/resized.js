// A text field keeps the height that a person drew it to when its form is answered. htmx copies such a `style` as an
// attribute, which the content security policy refuses; set through the field's own style object it is allowed.
const heights = new Map(); // id of a field -> its height

document.addEventListener("htmx:before:swap", (event) => {
  for (const field of event.detail.ctx.target?.querySelectorAll?.("textarea[style]") ?? []) {
    if (field.id) heights.set(field.id, field.style.height);
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
