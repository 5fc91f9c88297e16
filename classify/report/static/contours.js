// Contours of a map by marching squares.

/** Return the line segments [x1, y1, x2, y2, ...], pixels, on which a map has a level. */
function contourSegments(map, level) {
  const segments = [];
  const at = (i, j) => map.values[i * map.columns + j];
  for (let i = 0; i + 1 < map.rows; i++) {
    for (let j = 0; j + 1 < map.columns; j++) {
      cellSegments([at(i, j), at(i, j + 1), at(i + 1, j + 1), at(i + 1, j)], level, (x, y) => {
        segments.push(map.column0 + map.columnStep * (j + x), map.row0 + map.rowStep * (i + y));
      });
    }
  }
  return segments;
}

/** Add the ends of the segments in a cell; its corners are those of a unit square, clockwise from 0, 0. */
function cellSegments(corners, level, add) {
  if (corners.some(Number.isNaN)) return;
  const cuts = [];
  for (let k = 0; k < 4; k++) {
    const [a, b] = [corners[k], corners[(k + 1) % 4]];
    if (a < level !== b < level) cuts.push([k, (level - a) / (b - a)]);
  }
  const end = ([k, t]) => [[t, 0], [1, t], [1 - t, 1], [0, 1 - t]][k];
  if (cuts.length === 4 && corners[0] < level !== (corners[0] + corners[1] + corners[2] + corners[3]) / 4 < level) {
    cuts.push(cuts.shift()); // a saddle: the middle of the cell decides which cuts belong together
  }
  for (let k = 0; k + 1 < cuts.length; k += 2) {
    add(...end(cuts[k]));
    add(...end(cuts[k + 1]));
  }
}

/** Return the values of a density, given its log10, at the borders of the smallest regions that hold fractions of it. */
function credibleLevels(map, fractions) {
  const ordered = Array.from(map.values).filter((value) => !Number.isNaN(value)).sort((a, b) => b - a);
  const total = ordered.reduce((sum, value) => sum + 10 ** value, 0);
  return fractions.map((fraction) => {
    let sum = 0;
    return ordered.find((value) => (sum += 10 ** value) >= fraction * total);
  });
}
