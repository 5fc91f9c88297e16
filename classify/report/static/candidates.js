// The chosen candidate: its numbers, neighbours and curves; keys, and the start of the page.

const details = pageData("details");
const curve = pageData("curve");

/** Show the candidate of the state. */
async function showCandidate(before) {
  const index = chosenIndex();
  markRow();
  if (before && document.body.dataset.shown === String(index + 1) && before.candidate === state.candidate) return showRank(index);
  document.body.dataset.shown = "";
  showRank(index);
  byId("one-title").textContent = index < 0 ? "Maps" : `Candidate ${index + 1}`;
  document.querySelectorAll("#figures .chart").forEach((chart) => chart.release());
  byId("details").replaceChildren(...(index < 0 ? [] : [factsOf(index), neighborsOf(index)].filter(Boolean)));
  byId("figures").replaceChildren(...(index < 0 ? [curveFigure(-1)] : [profileFigure(details[index].profile, page.unit), nullFigure(index) ?? curveFigure(index)]).filter(Boolean));
  await showMaps(index);
  document.body.dataset.shown = String(index + 1);
}

function showRank(index) {
  const rank = listOrder.indexOf(index);
  byId("rank").textContent = index < 0 ? "" : rank < 0 ? "not in the list" : `${rank + 1} of ${listOrder.length} in the list`;
  byId("previous").disabled = rank <= 0;
  byId("next").disabled = rank < 0 || rank >= listOrder.length - 1;
}

/** Return the numbers of a candidate, of all columns. */
function factsOf(index) {
  const rows = shownColumns.map((column) =>
    element("div", {}, element("dt", {}, column.title), element("dd", { title: column.description }, `${textOf(column, index)}${column.unit && ` ${column.unit}`}`)));
  return element("dl", { class: "facts" }, ...rows);
}

function neighborsOf(index) {
  const { near } = details[index];
  if (!columnOf.known_name) return null;
  if (!near.length) return element("div", {}, element("h3", {}, "Known lenses in the field"), element("p", { class: "muted" }, "The list has none here."));
  const rows = near.map(({ name, distance, unit }) => element("tr", {}, element("th", { scope: "row" }, name), element("td", { class: "n" }, `${short(distance)}${unit && ` ${unit}`}`)));
  const head = element("tr", {}, element("th", { scope: "col" }, "name"), element("th", { scope: "col", class: "n" }, "distance"));
  return element("div", {}, element("h3", {}, "Known lenses in the field"), element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

/** Return the figure of the Bayes factors of the randomized skies; null without them. */
function nullFigure(index) {
  const found = details[index].null;
  if (!found) return null;
  const [x0, x1, top] = [Math.min(...found.x, found.observed), Math.max(...found.x, found.observed), Math.max(...found.y)];
  const room = 0.04 * (x1 - x0);
  return chartFigure({
    title: "Randomized skies", x: "ln Bayes factor", y: "number of skies", range: [x0 - room, x1 + room, 0, 1.1 * top],
    series: [{ label: "randomized", kind: "bars", color: "main", x: found.x, y: found.y },
      { label: "this field", kind: "points", color: "second", x: [found.observed], y: [top], low: [0], high: [top] }],
    caption: `ln Bayes factor of a lens anywhere, of ${found.n} skies with randomly rotated shapes; ${found.above} of them reach that of the field, ${fixed(found.observed, 1)}, without the other candidates.`,
  }, 210);
}

/** Return the figure of the expected number of false candidates of a survey; null without it. */
function curveFigure(index) {
  if (!curve) return null;
  const series = [{ label: "expected", kind: "line", color: "main", x: curve.x, y: curve.y }];
  const [x, y] = curve.cross;
  if (x.length) series.push({ label: "peaks of cross shear", kind: "points", color: "faint", x, y });
  if (index >= 0) {
    const at = valueOf("snr", index);
    const k = Math.max(1, Math.min(curve.x.findIndex((each) => each >= at), curve.x.length - 1)) || curve.x.length - 1;
    const t = (at - curve.x[k - 1]) / (curve.x[k] - curve.x[k - 1]);
    series.push({ label: "this candidate", kind: "points", color: "second", x: [at], y: [curve.y[k - 1] + t * (curve.y[k] - curve.y[k - 1])] });
  }
  return chartFigure({
    title: "False candidates", x: "S/N", y: "log₁₀ of the number", series, range: [curve.x[0], curve.x[curve.x.length - 1]],
    caption: "Expected number of peaks at or above each S/N in the whole survey without a lens, and the number of peaks of the map of cross shear, which has no lens.",
  }, 210);
}

const showHelp = () => byId("help").showModal();

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || event.target.matches(".scrolled, pre, .chart [tabindex]")) return;
  const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const step = event.shiftKey && arrows[event.key];
  const action = step ? viewer.sky && (() => stepCursor(...step)) : {
    ArrowLeft: () => stepCandidate(-1), ArrowRight: () => stepCandidate(1), e: toggleMarks, "?": showHelp, "/": toFilters,
  }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function toFilters() {
  byId("filter-box").open = true;
  byId("filters").elements.snr.focus();
}

startTheme();
startState();
startList();
onState(showCandidate);
showCandidate();
byId("previous").addEventListener("click", () => stepCandidate(-1));
byId("next").addEventListener("click", () => stepCandidate(1));
byId("ellipses").addEventListener("click", toggleMarks);
byId("help-button").addEventListener("click", showHelp);
new ResizeObserver(redraw).observe(byId("panels"));
document.querySelectorAll('a[href^="#"]').forEach((anchor) => anchor.addEventListener("click", onAnchor));
addEventListener("keydown", onKey);
document.body.dataset.ready = "true";
