// Maps, columns and coordinates from their encoded form.

/** Load an image from an address and return it when it can be drawn. */
function loadImage(address) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("an image of the page cannot be decoded"));
    image.src = address;
  });
}

/** Return the values of a map, row by row: the upper half of its image holds the high bytes, the lower half the low ones. */
async function decodeMap(map, grid) {
  const image = await loadImage(map.png);
  const canvas = element("canvas", { width: image.width, height: image.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, image.width, image.height).data;
  const n = map.rows * map.columns;
  const values = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const level = 256 * pixels[4 * i] + pixels[4 * (n + i)];
    values[i] = level ? map.low + map.step * (level - 1) : NaN;
  }
  return { values, decimals: map.decimals, step: map.step, rows: map.rows, columns: map.columns, row0: grid[0], rowStep: grid[1], column0: grid[2], columnStep: grid[3] };
}

/** Return a column of numbers. */
function decodeColumn(column) {
  const bytes = bytesOf(column.data);
  const view = new DataView(bytes.buffer);
  return Float64Array.from({ length: bytes.length / 2 }, (_, i) => {
    const level = view.getUint16(2 * i, true);
    return level ? column.low + column.step * (level - 1) : NaN;
  });
}

const REFINED = 4;

/** Return a map on a finer grid for drawing, by cubic interpolation (Catmull-Rom); a map with gaps or too small as it is. */
function refined(map) {
  if (map.rows < 3 || map.columns < 3 || map.values.some(Number.isNaN)) return map;
  const alongRows = refinedAlong(map.values, map.rows, map.columns, map.columns, 1);
  const columns = REFINED * map.columns;
  const values = refinedAlong(alongRows, columns, map.rows, 1, columns);
  const first = 0.5 / REFINED - 0.5;
  return { values, rows: REFINED * map.rows, columns, rowStep: map.rowStep / REFINED, columnStep: map.columnStep / REFINED,
    row0: map.row0 + first * map.rowStep, column0: map.column0 + first * map.columnStep };
}

/** Return `nLines` lines of `n` values refined along themselves; `line` and `step` are the strides in the input. */
function refinedAlong(values, nLines, n, line, step) {
  const fine = REFINED * n;
  const result = new Float64Array(nLines * fine);
  for (let i = 0; i < nLines; i++) {
    const at = (j) => values[i * line + Math.min(Math.max(j, 0), n - 1) * step];
    for (let k = 0; k < fine; k++) {
      const j = Math.floor((k + 0.5) / REFINED - 0.5);
      const t = (k + 0.5) / REFINED - 0.5 - j;
      const [a, b, c, d] = [at(j - 1), at(j), at(j + 1), at(j + 2)];
      const index = step === 1 ? i * fine + k : k * nLines + i;
      result[index] = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
    }
  }
  return result;
}

/** Return the value of a map at the centre nearest to a pixel. */
function valueAt(map, row, column) {
  const index = (at, first, step, n) => Math.min(Math.max(Math.round((at - first) / step), 0), n - 1);
  const i = index(row, map.row0, map.rowStep, map.rows);
  const j = index(column, map.column0, map.columnStep, map.columns);
  return map.values[i * map.columns + j];
}

/** Return RA and Dec, degrees, of a pixel; null without a table. */
function worldAt(world, row, column) {
  if (!world) return null;
  const cell = (nodes, at) => {
    const step = nodes[1] - nodes[0];
    const i = Math.min(Math.max(Math.floor((at - nodes[0]) / step), 0), nodes.length - 2);
    return [i, (at - nodes[i]) / step];
  };
  const [i, u] = cell(world.rows, row);
  const [j, v] = cell(world.columns, column);
  const n = world.columns.length;
  const between = (plane) =>
    (1 - u) * ((1 - v) * plane[i * n + j] + v * plane[i * n + j + 1]) +
    u * ((1 - v) * plane[(i + 1) * n + j] + v * plane[(i + 1) * n + j + 1]);
  return fromTangent(world.ra, world.dec, between(world.xi), between(world.eta));
}

/** Return RA and Dec, degrees, of gnomonic coordinates, arcsec. */
function fromTangent(ra0, dec0, xi, eta) {
  const radian = Math.PI / 180;
  const x = (xi / 3600) * radian;
  const y = (eta / 3600) * radian;
  const [sin, cos] = [Math.sin(dec0 * radian), Math.cos(dec0 * radian)];
  const denominator = cos - y * sin;
  const ra = ra0 + Math.atan2(x, denominator) / radian;
  const dec = Math.atan2(sin + y * cos, Math.hypot(x, denominator)) / radian;
  return [((ra % 360) + 360) % 360, dec];
}
