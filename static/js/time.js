// Keep relative times true; the exact time is the title, written by the server in the user's zone.
const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto", style: "short" });
const units = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

// "18 min. ago": the full stop of an abbreviation reads as the end of a sentence.
const plain = (text) => text.replaceAll(".", "");

function relative(moment) {
  const seconds = (moment - Date.now()) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return words.format(0, "second");
  for (const [unit, length] of units) if (size >= length) return plain(words.format(Math.trunc(seconds / length), unit));
  return plain(words.format(Math.trunc(seconds), "second"));
}

function refresh() {
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const text = relative(Date.parse(element.dateTime));
    if (element.textContent !== text) element.textContent = text;
  }
}

refresh();
setInterval(refresh, 1000);
document.addEventListener("htmx:after:swap", refresh);
