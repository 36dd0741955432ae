// The time machine's steps count from where the slider stands: a key pressed while a jump still loads goes on from there.
function go(event) {
  const link = event.target.closest("[data-past-by], [data-past-to]");
  const slider = document.getElementById("time-slider");
  if (!link || !slider || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (link.dataset.pastTo) {
    slider.value = link.dataset.pastTo;
    return; // the link itself leads there
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  slider.value = Number(slider.value) + Number(link.dataset.pastBy);
  slider.dispatchEvent(new Event("change", { bubbles: true }));
}

document.addEventListener("click", go, { capture: true });
