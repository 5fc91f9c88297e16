// Curves by uPlot, with a table of their values for those who cannot see them.

const CHART_HEIGHT = 230;

/** Return a figure with a chart, drawn when it comes into view and again in other colours; `release` ends that. */
function chartFigure(spec, height = CHART_HEIGHT) {
  const plot = element("div", { class: "plot", role: "img", "aria-label": `${spec.title}. ${spec.caption}` });
  plot.style.minHeight = `${height}px`;
  const figure = element("figure", { class: "chart" }, element("h3", {}, spec.title),
    element("figcaption", {}, spec.caption), plot, valuesTable(spec));
  let chart = null;
  const ends = [() => chart?.destroy()];
  const draw = () => {
    chart?.destroy();
    chart = drawChart(spec, plot, height);
  };
  figure.release = () => ends.forEach((end) => end());
  const resized = new ResizeObserver(() => chart?.setSize({ width: plot.clientWidth, height }));
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    draw();
    resized.observe(plot);
    ends.push(() => resized.disconnect(), onTheme(draw));
  }, { rootMargin: "300px" }).observe(plot);
  return figure;
}

function drawChart(spec, plot, height) {
  const joined = uPlot.join(spec.series.map((each) => [each.x, each.y]));
  const axisStyle = { stroke: themeColor("muted"), grid: { stroke: themeColor("edge"), width: 1 }, ticks: { show: false },
    font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif", labelSize: 18, labelGap: 0 };
  const [x0, x1, y0, y1] = spec.range ?? [];
  const range = (low, high) => (low == null ? undefined : [low, high]);
  const options = {
    width: plot.clientWidth, height,
    scales: {
      x: { time: false, range: range(x0, x1) ?? paddedRange(spec) },
      y: spec.log ? { distr: 3, range: (u, low, high) => [0.5, Math.max(10, 1.5 * high)] } : { range: range(y0, y1) ?? valueRange(spec) },
    },
    axes: [
      { ...axisStyle, label: spec.x, size: 30 },
      { ...axisStyle, label: spec.y, size: 46, values: (u, ticks) => ticks.map((tick) => (tick == null ? "" : short(tick))) },
    ],
    series: [{ label: spec.x, value: (u, value) => short(value) }, ...spec.series.map((each) => seriesOptions(each, spec))],
    legend: { live: true },
    cursor: { drag: { x: true, y: false }, points: { size: 6 } },
    hooks: { draw: [(u) => drawErrors(u, spec)] },
    padding: [10, 12, 0, 0],
  };
  return new uPlot(options, joined, plot);
}

function seriesOptions(each) {
  const color = themeColor(each.color === "faint" ? "faint" : each.color);
  const paths = {
    step: uPlot.paths.stepped({ align: 1 }), bars: uPlot.paths.bars({ size: [0.8, 40] }), points: () => null,
    line: uPlot.paths.linear(),
  };
  const isFaint = each.color === "faint";
  return {
    label: each.label, stroke: color, width: isFaint ? 1.25 : 2, dash: isFaint ? [5, 4] : undefined, spanGaps: each.kind !== "bars",
    paths: paths[each.kind], fill: each.kind === "bars" ? faded(color, 0.45) : undefined,
    points: { show: each.kind === "points", size: 7, fill: color, width: 0 }, value: (u, value) => short(value),
  };
}

const faded = (color, alpha) => color.replace("rgb(", "rgba(").replace(")", `, ${alpha})`);

/** Return the range of x: that of the data, with half a bar at both ends. */
function paddedRange(spec) {
  const bars = spec.series.find((each) => each.kind === "bars");
  if (bars) {
    const half = (bars.x[1] - bars.x[0]) / 2;
    return [bars.x[0] - half, bars.x[bars.x.length - 1] + half];
  }
  const all = spec.series.flatMap((each) => each.x);
  return [Math.min(0, ...all), Math.max(...all)];
}

/** Return a function for the range of y, with the error bars and, for bars or where asked, with zero. */
function valueRange(spec) {
  const all = spec.series.flatMap((each) => [...each.y, ...(each.low ?? []), ...(each.high ?? [])]).filter((y) => y != null);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = 0.06 * (high - low || 1);
  const isZero = spec.bottom === 0 || spec.series.some((each) => each.kind === "bars") || (low >= 0 && low < 0.6 * high);
  return [isZero && low >= 0 ? 0 : low - room, high + room];
}

/** Draw the error bars of series that have them. */
function drawErrors(u, spec) {
  for (const each of spec.series) {
    if (!each.low) continue;
    u.ctx.save();
    u.ctx.strokeStyle = themeColor(each.color);
    u.ctx.lineWidth = 1.5 * devicePixelRatio;
    u.ctx.beginPath();
    each.x.forEach((x, i) => {
      const at = u.valToPos(x, "x", true);
      u.ctx.moveTo(at, u.valToPos(each.low[i], "y", true));
      u.ctx.lineTo(at, u.valToPos(each.high[i], "y", true));
    });
    u.ctx.stroke();
    u.ctx.restore();
  }
}

/** Return the values of a chart in a table, which is made when it is opened. */
function valuesTable(spec) {
  const body = element("div", { tabindex: "0", role: "region", "aria-label": `Values of ${spec.title}` });
  const made = element("details", {}, element("summary", {}, "Values"), body);
  made.addEventListener("toggle", () => {
    if (body.childElementCount) return;
    for (const each of spec.series.filter((one) => one.color !== "faint" || spec.series.length === 1)) {
      const rows = each.x.map((x, i) => {
        const errors = each.low ? ` (${short(each.low[i])} to ${short(each.high[i])})` : "";
        return element("tr", {}, element("td", {}, short(x)), element("td", {}, short(each.y[i]) + errors));
      });
      const head = element("tr", {}, element("th", { scope: "col" }, spec.x), element("th", { scope: "col" }, each.label));
      body.append(element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
    }
  });
  return made;
}

/** Return a figure of named bars. */
function barsFigure(spec) {
  const largest = Math.max(...spec.rows.map(([, value]) => value), 1e-12);
  const rows = spec.rows.map(([name, value]) => {
    const bar = element("i");
    bar.style.width = `${(100 * value) / largest}%`;
    return element("div", {}, element("span", {}, name), bar, element("b", {}, fixed(value, 3)));
  });
  return element("figure", { class: "chart wide" }, element("h3", {}, spec.title), element("figcaption", {}, spec.caption),
    element("div", { class: "bars" }, ...rows));
}

/** Return a figure of the radial profile of the mean shear; null without galaxies. */
function profileFigure(profile, unit) {
  if (!profile?.radius.length) return null;
  const series = (label, values, color) => ({
    label, kind: "points", color, x: profile.radius, y: values,
    low: values.map((value, i) => value - profile.error[i]), high: values.map((value, i) => value + profile.error[i]),
  });
  const apart = (one, by) => ({ ...one, x: one.x.map((x) => x + by) });
  const width = Math.max(...profile.radius) / 120;
  const zero = { label: "zero", kind: "line", color: "faint", x: [0, Math.max(...profile.radius) * 1.05], y: [0, 0] };
  return chartFigure({
    title: "Shear about the best-fit position", x: `distance${unit && `, ${unit}`}`, y: "shear",
    series: [zero, apart(series("γₜ", profile.gamma_t, "second"), -width), apart(series("γₓ", profile.gamma_x, "main"), width)],
    caption: `Mean tangential and cross shear of ${profile.n.reduce((sum, n) => sum + n, 0)} galaxies; cross shear is the null.`,
  }, 210);
}

const CHART_ORDER = ["reliability", "roc", "precision", "scores", "likeness", "offsets", "history", "cnn", "template"];

function startCharts() {
  const figures = pageData("figures") ?? {};
  const charts = byId("charts");
  if (!charts) return;
  charts.append(...CHART_ORDER.filter((name) => figures[name]).map((name) => chartFigure(figures[name])));
  if (figures.importance) charts.append(barsFigure(figures.importance));
}
