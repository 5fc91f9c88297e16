// The four panels of a sky with a common cursor, whose values are read from the maps.

const viewer = { sky: null, marks: true, cursor: null, stages: [] };

/** Return a sky with its maps decoded, ready to be drawn. */
async function decodeSky(data) {
  const [image, snr, cross, posterior] = await Promise.all([
    loadImage(data.image), decodeMap(data.snr, data.grid), decodeMap(data.cross, data.grid),
    decodeMap(data.posterior, data.posterior.grid),
  ]);
  const galaxies = Object.fromEntries(["x", "y", "a", "b", "theta"].map((name) => [name, decodeColumn(data.galaxies[name])]));
  const extreme = [...snr.values, ...cross.values].reduce((most, value) => Math.max(most, Math.abs(value) || 0), 0);
  return { ...data, image, snr, cross, posterior, galaxies: { ...data.galaxies, ...galaxies }, peak: peakOf(snr),
    fine: { snr: refined(snr), cross: refined(cross), posterior: refined(posterior) },
    limit: Math.ceil(Math.max(page.min_limit, extreme)) };
}

/** Return row, column and value of the highest centre of a map. */
function peakOf(map) {
  let best = 0;
  map.values.forEach((value, i) => {
    if (value > map.values[best]) best = i;
  });
  const row = map.row0 + map.rowStep * Math.floor(best / map.columns);
  return [row, map.column0 + map.columnStep * (best % map.columns), map.values[best]];
}

function showPanels(sky) {
  viewer.sky = sky;
  const signs = [-sky.limit, sky.limit];
  showStages([
    stage("Sky", element("span", {}, describeGalaxies(sky.galaxies)), drawSkyPanel),
    stage("S/N of tangential shear", scale(COLORS.shear, fixed(-sky.limit, 0), fixed(sky.limit, 0)), (canvas) =>
      drawSnr(canvas, sky.fine.snr, signs)),
    stage("S/N of cross shear, the null", scale(COLORS.shear, fixed(-sky.limit, 0), fixed(sky.limit, 0)), (canvas) =>
      drawSnr(canvas, sky.fine.cross, signs)),
    stage("Posterior of the position", scale(COLORS.posterior, `10${superscript(-page.decades)}`, "1"), drawPosterior),
  ]);
  byId("marks").querySelector("[data-mark=lens]").hidden = !sky.lens;
}

/** Return the colours of a map with the values at both ends. */
const scale = (colors, low, high) => element("span", {}, low, colorStrip(colors), high);

/** Show panels of `viewer.sky` with a common cursor. */
function showStages(stages) {
  viewer.stages = stages;
  viewer.cursor = null;
  byId("readout").hidden = byId("marks").hidden = false;
  byId("panels").replaceChildren(...viewer.stages.map((each) => each.figure));
  redraw();
  readOut();
}

const superscript = (number) => String(number).replace(/./g, (each) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(each)]);

function describeGalaxies({ n, shown }) {
  return shown < n ? `the ${shown} brightest of ${n} galaxies` : `${n} galaxies`;
}

function stage(title, note, draw) {
  const [base, over] = [element("canvas"), element("canvas")];
  const frame = element("div", { class: "stage", role: "img", "aria-label": title }, base, over);
  frame.style.aspectRatio = `${viewer.sky.shape[1]} / ${viewer.sky.shape[0]}`;
  const at = (event) => {
    const box = frame.getBoundingClientRect();
    const pixel = (offset, length, n) => Math.min(Math.max((offset / length) * n - 0.5, 0), n - 1);
    moveCursor([pixel(event.clientY - box.top, box.height, viewer.sky.shape[0]),
      pixel(event.clientX - box.left, box.width, viewer.sky.shape[1])]);
  };
  frame.addEventListener("pointermove", at);
  frame.addEventListener("pointerdown", at);
  const figure = element("figure", {}, element("figcaption", {}, element("span", {}, title), note), frame);
  return { figure, base, over, draw };
}

function redraw() {
  if (!viewer.sky) return;
  viewer.stages.forEach((each) => each.draw(each.base));
  drawCursor();
}

function drawSkyPanel(canvas) {
  const { image, extent, shape, galaxies } = viewer.sky;
  const drawing = imageContext(canvas, shape);
  drawing.context.drawImage(image, -0.5, -0.5, extent[1], extent[0]);
  if (viewer.marks) {
    drawEllipses(drawing, galaxies);
    drawMarks(drawing, viewer.sky);
  }
}

function drawSnr(canvas, map, signs) {
  const drawing = drawMapPanel(canvas, viewer.sky.shape, map, COLORS.shear, signs);
  if (!viewer.marks) return;
  drawSnrContours(drawing, map, signs[1]);
  drawMarks(drawing, viewer.sky);
}

function drawPosterior(canvas) {
  const { shape, fine: { posterior } } = viewer.sky;
  const drawing = drawMapPanel(canvas, shape, posterior, COLORS.posterior, [-page.decades, 0]);
  if (!viewer.marks) return;
  const [outer, inner] = credibleLevels(posterior, page.fractions);
  strokeSegments(drawing.context, drawing.unit, contourSegments(posterior, outer), [3, 2]);
  strokeSegments(drawing.context, drawing.unit, contourSegments(posterior, inner), []);
  drawMarks(drawing, viewer.sky);
}

function moveCursor(position) {
  viewer.cursor = position;
  drawCursor();
  readOut();
}

/** Move the cursor by steps of the grid of the maps. */
function stepCursor(rows, columns) {
  const { snr, shape, peak } = viewer.sky;
  const [row, column] = viewer.cursor ?? peak;
  const clamp = (value, n) => Math.min(Math.max(value, 0), n - 1);
  moveCursor([clamp(row + rows * snr.rowStep, shape[0]), clamp(column + columns * snr.columnStep, shape[1])]);
}

function drawCursor() {
  for (const { over } of viewer.stages) {
    const drawing = imageContext(over, viewer.sky.shape);
    if (!viewer.cursor) continue;
    const [row, column] = viewer.cursor;
    outlined(drawing, "#ffe27a", 1, (context, unit) => crosshair(context, unit, column, row, 14, 3));
  }
}

/** Write the values under the cursor. */
function readOut() {
  const readout = byId("readout");
  if (!viewer.cursor) {
    readout.replaceChildren(element("span", { class: "muted" }, matchMedia("(pointer: coarse)").matches ? "Touch a panel to read its values." : "Point at a panel to read its values, or use Shift and the arrow keys."));
    return;
  }
  const entries = (viewer.sky.entries ?? skyEntries)(...viewer.cursor);
  readout.replaceChildren(...entries.map(([name, value]) =>
    element("span", { "data-value": name }, element("span", { class: "muted" }, `${name} `), element("b", {}, value))));
}

/** Return names and values of a sky at a pixel. */
function skyEntries(row, column) {
  const { snr, cross, posterior, world } = viewer.sky;
  const entries = [["row", fixed(row, 1)], ["column", fixed(column, 1)]];
  const coordinates = worldAt(world, row, column);
  if (coordinates) entries.push(["RA", `${fixed(coordinates[0], 5)}°`], ["Dec", `${signed(coordinates[1], 5)}°`]);
  entries.push(["S/N", exact(snr, valueAt(snr, row, column))], ["cross", exact(cross, valueAt(cross, row, column))],
    ["log₁₀ posterior / peak", posteriorText(posterior, valueAt(posterior, row, column))]);
  const galaxy = galaxyAt(row, column);
  if (galaxy) entries.push(["galaxy", galaxy]);
  return entries;
}

/** Return log10 of a posterior; its map ends at the range of the colours. */
const posteriorText = (map, value) => (value <= -page.decades + map.step / 2 ? `≤ ${fixed(-page.decades, 0)}` : exact(map, value));

/** Return the ellipticity and the position angle of the galaxy under the cursor; null if there is none. */
function galaxyAt(row, column) {
  const { x, y, a, b, theta } = viewer.sky.galaxies;
  let best = -1;
  let nearest = Infinity;
  for (let i = 0; i < x.length; i++) {
    const distance = Math.hypot(x[i] - column, y[i] - row);
    if (distance < nearest && distance < Math.max(page.outline * a[i], 4)) [best, nearest] = [i, distance];
  }
  if (best < 0) return null;
  const modulus = (a[best] - b[best]) / (a[best] + b[best]);
  const angle = (theta[best] * 180) / Math.PI;
  return `|e| ${fixed(modulus, 3)} at ${fixed(angle, 0)}°, size ${fixed(Math.sqrt(a[best] * b[best]), 1)} px`;
}

function toggleMarks() {
  viewer.marks = !viewer.marks;
  byId("ellipses").setAttribute("aria-pressed", String(viewer.marks));
  redraw();
}
