// The maps of a field, or of the patch of a candidate, with marks and a common cursor.

const decodedMaps = new Map();
const knownNames = pageData("known");
const CHOSEN = "#ffe27a";

/** Return a pair of maps, decoded and ready to be drawn. */
async function decodedPair(number) {
  if (!decodedMaps.has(number)) {
    const data = pageData(`map-${number}`);
    const [snr, cross, empty] = await Promise.all([data.snr, data.cross, data.empty].map((map) => decodeMap(map, data.grid)));
    const extreme = [...snr.values, ...cross.values].reduce((most, value) => Math.max(most, Math.abs(value) || 0), 0);
    decodedMaps.set(number, { ...data, number, snr, cross, fine: { snr: refined(snr), cross: refined(cross) }, hatched: hatched(empty), peak: peakOf(snr),
      extreme: Math.ceil(Math.max(page.min_limit, extreme)), limit: Math.max(page.min_limit, Math.min(Math.ceil(extreme), page.max_limit)), entries: mapEntries });
  }
  return decodedMaps.get(number);
}

/** Return the number of the map that shows a candidate; undefined where the page lacks it. */
function mapOf(index) {
  const home = index < 0 || !page.is_survey ? page.maps[0] : page.homes[index];
  return page.maps.includes(home) ? home : undefined;
}

/** Return a canvas with stripes where a map has values. */
function hatched(map) {
  const canvas = element("canvas", { width: map.columns, height: map.rows });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(map.columns, map.rows);
  const period = Math.max(4, Math.round(map.columns / 40));
  map.values.forEach((value, i) => {
    if (Number.isNaN(value)) return;
    const isLine = ((i % map.columns) + Math.floor(i / map.columns)) % period < Math.max(1, period / 4);
    pixels.data.set(isLine ? [110, 120, 132, 200] : [28, 33, 40, 170], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Show the maps of a candidate; a note where the page has none. */
async function showMaps(index) {
  const number = mapOf(index);
  if (number === undefined) {
    viewer.sky = null;
    viewer.stages = [];
    byId("readout").hidden = byId("marks").hidden = true;
    byId("panels").replaceChildren(element("p", { class: "note" }, "The maps of this candidate are not in this page."));
    return;
  }
  const pair = await decodedPair(number);
  if (chosenIndex() !== index) return;
  if (viewer.sky === pair) return redraw();
  viewer.sky = pair;
  const signs = [-pair.limit, pair.limit];
  byId("contours").textContent = `contours: |S/N| ${page.first_contour}, ${page.first_contour + contourStep(pair.limit)}, …, negative dashed`;
  const beyond = (sign) => (pair.extreme > pair.limit ? `${sign} ` : ""); // the colours end before the values
  const panel = (title, name) => stage(title, scale(COLORS.shear, beyond("≤") + fixed(signs[0], 0), beyond("≥") + fixed(signs[1], 0)), (canvas) => drawPair(canvas, name, signs));
  showStages([panel("S/N of tangential shear", "snr"), panel("S/N of cross shear, the null", "cross")]);
}

function drawPair(canvas, name, signs) {
  const { shape, fine, hatched: empty } = viewer.sky;
  const drawing = drawMapPanel(canvas, shape, fine[name], COLORS.shear, signs);
  drawing.context.drawImage(empty, -0.5, -0.5, shape[1], shape[0]);
  if (!viewer.marks) return;
  drawSnrContours(drawing, fine[name], signs[1]);
  viewer.sky.known.forEach(([, row, column]) => outlined(drawing, MARK.lens, 1.4, (context, unit) => diamond(context, unit, column, row)));
  const chosen = chosenIndex();
  const others = viewer.sky.candidates.filter(([k]) => k !== chosen);
  [...others, ...viewer.sky.candidates.filter(([k]) => k === chosen)].forEach((mark) => drawCandidate(drawing, mark, mark[0] === chosen));
}

function drawCandidate(drawing, [index, row, column, error], isChosen) {
  const radius = Math.max(error ?? 0, 5 * drawing.unit);
  outlined(drawing, isChosen ? CHOSEN : MARK.best, isChosen ? 2 : 1.3, (context, unit) => {
    if (!isChosen) context.setLineDash([4 * unit, 3 * unit]);
    context.arc(column, row, radius, 0, 2 * Math.PI);
  });
  const { context, unit } = drawing;
  const [right, top] = [column + 0.75 * radius + 3 * unit, row - 0.75 * radius - 3 * unit];
  context.font = `600 ${13 * unit}px system-ui, sans-serif`;
  context.textAlign = right > viewer.sky.shape[1] * 0.95 ? "right" : "left";
  context.textBaseline = top < viewer.sky.shape[0] * 0.05 ? "top" : "alphabetic";
  context.lineJoin = "round";
  context.lineWidth = 3 * unit;
  context.strokeStyle = "#05070a";
  context.strokeText(String(index + 1), right, top);
  context.fillStyle = isChosen ? CHOSEN : MARK.best;
  context.fillText(String(index + 1), right, top);
}

function diamond(context, unit, x, y) {
  const size = 7 * unit;
  context.moveTo(x, y - size);
  [[x + size, y], [x, y + size], [x - size, y]].forEach(([u, v]) => context.lineTo(u, v));
  context.closePath();
}

/** Return the values of the maps at a pixel, with its coordinates and what is marked there. */
function mapEntries(row, column) {
  const { snr, cross, world, plane } = viewer.sky;
  const value = (map) => (Number.isNaN(valueAt(map, row, column)) ? "no galaxies" : exact(map, valueAt(map, row, column)));
  const [i, j] = [Math.round(row), Math.round(column)]; // the centre of the pixel, to which the values belong
  const entries = [];
  if (plane) entries.push(...["x", "y"].map((name, k) => [name, `${minus(String(Number((plane[k] + j * plane[2 + k] + i * plane[4 + k]).toPrecision(6))))}${page.unit && ` ${page.unit}`}`]));
  const coordinates = worldAt(world, i, j);
  if (coordinates) entries.push(["RA", `${fixed(coordinates[0], 5)}°`], ["Dec", `${signed(coordinates[1], 5)}°`]);
  entries.push(["S/N", value(snr)], ["cross", value(cross)]);
  const reach = viewer.sky.shape[1] / 40;
  const near = (marks) => marks.filter((mark) => Math.hypot(mark[1] - row, mark[2] - column) < Math.max(mark[3] ?? 0, reach));
  const [candidate] = near(viewer.sky.candidates);
  const [lens] = near(viewer.sky.known);
  if (candidate) entries.push(["candidate", String(candidate[0] + 1)]);
  if (lens) entries.push(["known lens", knownNames[lens[0]]]);
  return entries;
}
