// Draws each chart from the table that stands behind it: the table is the data, and says all of it without this script.
const SECONDS = { h: 3600, d: 86400 };

const format = (unit) => {
  const language = document.documentElement.lang || "en";
  const plain = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
  const compact = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
  if (unit === "share") return (value) => `${plain.format(100 * value)} %`;
  if (unit === "money") return (value) => `$${plain.format(value)}`;
  if (unit === "hours") return (value) => `${plain.format(value)} h`;
  if (unit === "ms") {
    return (value) => {
      if (value >= 3600000) return `${plain.format(value / 3600000)} h`;
      if (value >= 60000) return `${plain.format(value / 60000)} min`;
      if (value >= 1000) return `${plain.format(value / 1000)} s`;
      return `${plain.format(value)} ms`;
    };
  }
  return (value) => compact.format(value);
};

const colour = (element, name) => {
  const probe = document.createElement("span");
  probe.className = name;
  element.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
};

const read = (figure) => {
  const rows = [...figure.querySelectorAll("tbody tr")];
  const lines = [...figure.querySelectorAll("[data-chart-line]")];
  const value = (cell) => (cell.dataset.value === "" ? null : Number(cell.dataset.value));
  const columns = lines.map((_, index) => rows.map((row) => value(row.querySelectorAll("[data-value]")[index])));
  return { at: rows.map((row) => Number(row.dataset.at)), columns, lines };
};

const draw = (figure) => {
  const area = figure.querySelector(".chart-area");
  const { at, columns, lines } = read(figure);
  const say = format(figure.dataset.unit);
  const ink = colour(figure, "chart-ink");
  const grid = colour(figure, "chart-grid");
  const few = at.length < 3;
  const series = lines.map((line) => ({
    label: line.textContent.trim(),
    stroke: getComputedStyle(line.querySelector(".chart-swatch")).color,
    width: "limit" in line.dataset ? 1 : 2,
    dash: "limit" in line.dataset ? [4, 4] : undefined,
    points: { show: few || columns.some((values) => values.filter((one) => one !== null).length < 3) },
    spanGaps: false,
  }));
  const language = document.documentElement.lang || "en";
  const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
  const hour = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const moments = (_self, values, _axis, _space, step) =>
    values.map((value) => (step < 86400 && value % 86400 !== 0 ? hour : day).format(value * 1000));
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: "12px Inter Variable, sans-serif" };
  area.replaceChildren();
  const least = SECONDS[figure.dataset.grain];
  const options = {
    width: Math.max(area.clientWidth, 200),
    height: 190,
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_self, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, space: 64, values: moments, incrs: least === 86400 ? [86400, 2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400] : undefined },
      { ...axis, size: 64, values: (_self, values) => values.map(say) },
    ],
    series: [{}, ...series],
  };
  return new window.uPlot(options, [at, ...columns], area);
};

const drawn = new Map();
const redraw = () => {
  for (const figure of document.querySelectorAll("[data-chart]")) {
    drawn.get(figure)?.destroy();
    drawn.set(figure, draw(figure));
  }
};

redraw();
new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
const resized = new ResizeObserver((entries) => {
  for (const entry of entries) {
    const figure = entry.target.closest("[data-chart]");
    const width = Math.max(entry.contentRect.width, 200);
    if (figure && drawn.get(figure)?.width !== width) drawn.get(figure)?.setSize({ width, height: 190 });
  }
});
for (const area of document.querySelectorAll(".chart-area")) resized.observe(area);
