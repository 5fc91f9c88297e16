// Drawing of one panel of a sky: its image or a map, with contours and marks, in the pixels of the image.

const COLORS = { shear: bytesOf(page.shear_colors), posterior: bytesOf(page.posterior_colors) };
const MARK = { ellipse: "#5df2b4", best: "#7df3ff", peak: "#ffffff", lens: "#ffffff" };

/** Return a canvas whose pixels are the colours of a map between two limits. */
function coloredMap(map, colors, low, high) {
  const canvas = element("canvas", { width: map.columns, height: map.rows });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(map.columns, map.rows);
  map.values.forEach((value, i) => {
    const level = Math.round(255 * Math.min(Math.max((value - low) / (high - low), 0), 1)) || 0;
    pixels.data.set(colors.subarray(3 * level, 3 * level + 3), 4 * i);
    pixels.data[4 * i + 3] = Number.isNaN(value) ? 0 : 255;
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Return a context that draws in pixels of the image: column, row; one unit is a pixel, whose centre is whole. */
function imageContext(canvas, shape) {
  const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  const scale = width / shape[1];
  canvas.width = width;
  canvas.height = Math.max(1, Math.round(shape[0] * scale));
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0.5 * scale, 0.5 * scale);
  context.imageSmoothingQuality = "high";
  return { context, unit: devicePixelRatio / scale };
}

function drawMapPanel(canvas, shape, map, colors, [low, high]) {
  const { context, unit } = imageContext(canvas, shape);
  const { columnStep, rowStep } = map;
  context.drawImage(coloredMap(map, colors, low, high), map.column0 - columnStep / 2, map.row0 - rowStep / 2,
    map.columns * columnStep, map.rows * rowStep);
  return { context, unit };
}

/** Return the step between the contours of S/N, for colours that end at a limit. */
const contourStep = (limit) => Math.max(1, Math.ceil((limit - page.first_contour) / page.max_contours));

/** Draw contours of S/N at both signs; those of negative values are dashed. */
function drawSnrContours({ context, unit }, map, limit) {
  const step = contourStep(limit);
  for (let level = page.first_contour; level < limit; level += step) {
    strokeSegments(context, unit, contourSegments(map, level), []);
    strokeSegments(context, unit, contourSegments(map, -level), [3, 2]);
  }
}

function strokeSegments(context, unit, segments, dash) {
  context.beginPath();
  for (let k = 0; k < segments.length; k += 4) {
    context.moveTo(segments[k], segments[k + 1]);
    context.lineTo(segments[k + 2], segments[k + 3]);
  }
  context.setLineDash(dash.map((each) => each * unit));
  context.lineWidth = 0.9 * unit;
  context.strokeStyle = "rgba(255,255,255,0.6)";
  context.stroke();
  context.setLineDash([]);
}

/** Draw the outlines of galaxies, at a multiple of their rms half-axes. */
function drawEllipses({ context, unit }, galaxies) {
  context.strokeStyle = MARK.ellipse;
  context.lineWidth = unit * Math.min(1, (400 / Math.max(galaxies.x.length, 1)) ** 0.25);
  galaxies.x.forEach((x, i) => {
    context.beginPath();
    context.ellipse(x, galaxies.y[i], page.outline * galaxies.a[i], page.outline * galaxies.b[i], galaxies.theta[i], 0, 2 * Math.PI);
    context.stroke();
  });
}

/** Draw the best-fit position with its error, the peak, and the true lens. */
function drawMarks(drawing, sky) {
  const [row, column, error] = sky.best;
  outlined(drawing, MARK.best, 1.2, (context, unit) => {
    context.setLineDash([4 * unit, 3 * unit]);
    context.arc(column, row, Math.max(error, 3 * unit), 0, 2 * Math.PI);
  });
  outlined(drawing, MARK.best, 3, (context, unit) => context.arc(column, row, 1.2 * unit, 0, 2 * Math.PI));
  if (sky.peak) outlined(drawing, MARK.peak, 1.3, (context, unit) => crosshair(context, unit, sky.peak[1], sky.peak[0], 9, 4));
  if (sky.lens) outlined(drawing, MARK.lens, 1.6, (context, unit) => context.arc(sky.lens[1], sky.lens[0], 9 * unit, 0, 2 * Math.PI));
}

function crosshair(context, unit, x, y, outer, inner) {
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(x + inner * unit * dx, y + inner * unit * dy);
    context.lineTo(x + outer * unit * dx, y + outer * unit * dy);
  }
}

/** Stroke a path with a dark border, so that it is visible on any colour. */
function outlined({ context, unit }, color, width, path) {
  for (const [stroke, w] of [["#05070a", width + 1.6], [color, width]]) {
    context.beginPath();
    context.setLineDash([]);
    path(context, unit);
    context.strokeStyle = stroke;
    context.lineWidth = w * unit;
    context.stroke();
  }
  context.setLineDash([]);
}

/** Return a strip of the colours of a map. */
function colorStrip(colors) {
  const strip = element("span", { class: "scale", "aria-hidden": "true" });
  const stops = [0, 32, 64, 96, 128, 160, 192, 224, 255].map((k) => `rgb(${colors.subarray(3 * k, 3 * k + 3).join(",")})`);
  strip.style.background = `linear-gradient(90deg, ${stops.join(",")})`;
  return strip;
}
