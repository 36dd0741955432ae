// Time left, by the second: text in `time[data-countdown]`, a bar in `progress[data-until]`. The server's clock decides.
const pad = (number) => String(number).padStart(2, "0");

function left(until) {
  const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
  return `${Math.floor(seconds / 60)}:${pad(seconds % 60)}`;
}

function refresh() {
  for (const element of document.querySelectorAll("time[data-countdown]")) element.textContent = left(Date.parse(element.dateTime));
  for (const bar of document.querySelectorAll("progress[data-until]")) {
    const [from, until] = [Date.parse(bar.dataset.from), Date.parse(bar.dataset.until)];
    bar.value = Math.max(0, Math.min(1, (until - Date.now()) / (until - from)));
  }
}

refresh();
setInterval(refresh, 500);
document.addEventListener("htmx:after:swap", refresh);
