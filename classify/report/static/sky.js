// The dialog of one sky: verdict, panels, contributions and radial profile.

const skies = pageData("skies");
const detailed = new Set(page.detailed);
const cachedDetails = new Map();
const MAX_CACHED = 12;
let lastShown = -1;

const facts = pageData("facts") ?? [];

const hasDetails = (index) => page.served || detailed.has(index);

/** Return the data of a sky: from the page, or from its server. */
async function detailsOf(index) {
  if (!cachedDetails.has(index)) {
    const found = page.served ? fetchSky(index) : Promise.resolve(pageData(`sky-${index}`));
    cachedDetails.set(index, found);
    found.catch(() => cachedDetails.delete(index));
    if (cachedDetails.size > MAX_CACHED) cachedDetails.delete(cachedDetails.keys().next().value);
  }
  return cachedDetails.get(index);
}

async function fetchSky(index) {
  const response = await fetch(`sky/${index}.json`);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  if (body.listed) takeVerdict(index, body);
  return body;
}

/** Put a sky that was measured now into the list. */
function takeVerdict(index, { listed, facts: own }) {
  for (const [name, value] of Object.entries(listed)) skies[name][index] = value;
  facts[index] = own;
  updateListed(index);
}

/** Return the address of the image of a sky for the gallery. */
const imageOf = (index) => (page.served ? `image/${index}.webp` : imageIn(byId(`data-sky-${index}`).textContent));

/** Return the first entry of the data of a sky, its image, without reading the others. */
const imageIn = (text) => text.slice(text.indexOf("data:"), text.indexOf('",'));

const WRONG = ["missed", "false"];

const isLens = (p) => p >= page.threshold;

/** Return the state of a verdict: its class and its name. */
function verdictState(index) {
  const [p, label, outcome] = [skies.probability[index], skies.label[index], skies.outcome[index]];
  if (outcome === "unmeasured") return ["open", "not measured"];
  if (outcome === "failed") return ["wrong", "failed"];
  if (p == null) return skies.decided_by[index] ? ["unlike", "no verdict"] : ["open", "not judged"];
  if (WRONG.includes(outcome)) return ["wrong", label ? "missed" : "false alarm"];
  if (skies.unlike[index]) return ["unlike", "unlike"];
  return [outcome === "right" ? "right" : "open", isLens(p) ? "lens" : "no lens"];
}

/** Show the sky of the state, or close the dialog. */
async function showSky(before) {
  const dialog = byId("sky");
  const index = state.sky ? skies.name.indexOf(state.sky) : -1;
  if (index < 0) {
    if (dialog.open) dialog.close();
    return;
  }
  lastShown = index;
  if (!dialog.open) dialog.showModal();
  else if (before?.sky === state.sky) return showRank(index);
  byId("sky-title").textContent = skies.name[index];
  document.body.dataset.shown = "";
  showRank(index);
  byId("verdict").replaceChildren(...verdictBlock(index));
  document.querySelectorAll("#sky-text .chart").forEach((chart) => chart.release());
  byId("sky-text").replaceChildren();
  if (!hasDetails(index)) return showWithoutMaps(index);
  try {
    const data = await detailsOf(index);
    const sky = await decodeSky({ ...data, lens: lensOf(index) });
    if (state.sky !== skies.name[index]) return;
    showPanels(sky);
    byId("verdict").replaceChildren(...verdictBlock(index));
    byId("sky-text").replaceChildren(...[factsBlock(index, sky), contributionsBlock(index),
      profileFigure(sky.profile, "px")].filter(Boolean));
    document.body.dataset.shown = skies.name[index];
    prepareNext(index);
  } catch (error) {
    if (state.sky === skies.name[index]) showAbsent(`This sky cannot be shown: ${error.message}`);
  }
}

/** Ask the server for the next sky of the list, so that it is there when it is wanted. */
function prepareNext(index) {
  const next = listOrder[listOrder.indexOf(index) + 1];
  if (page.served && next !== undefined) detailsOf(next).catch(() => {});
}

/** Show the numbers of a sky whose image and maps are not in the page. */
function showWithoutMaps(index) {
  showAbsent("The image and the maps of this sky are not in this page.");
  byId("sky-text").replaceChildren(...[factsBlock(index, null), contributionsBlock(index)].filter(Boolean));
  document.body.dataset.shown = skies.name[index];
}

function showAbsent(text) {
  viewer.sky = null;
  byId("panels").replaceChildren(element("p", { class: "note" }, text));
  byId("readout").hidden = byId("marks").hidden = true;
}

function lensOf(index) {
  const [row, column] = [skies.lens_row[index], skies.lens_column[index]];
  return row == null || column == null ? null : [row, column];
}

/** Show the rank of a sky in the list. */
function showRank(index) {
  const rank = listOrder.indexOf(index);
  byId("sky-rank").textContent = rank < 0 ? "not in the list" : `${rank + 1} of ${listOrder.length}`;
  byId("previous").disabled = rank <= 0;
  byId("next").disabled = rank >= listOrder.length - 1;
}

/** Show the sky so many ranks further in the list. */
function stepSky(steps) {
  const rank = listOrder.indexOf(skies.name.indexOf(state.sky)) + steps;
  if (rank >= 0 && rank < listOrder.length) updateState({ sky: skies.name[listOrder[rank]] });
}

const openSky = (index) => updateState({ sky: skies.name[index] }, true);

function verdictBlock(index) {
  const [kind, name] = verdictState(index);
  const [p, label] = [skies.probability[index], skies.label[index]];
  const unjudged = skies.outcome[index] === "unmeasured" ? ["Not measured", "The sky is being measured."] : skies.decided_by[index] ? ["No verdict", "The sky is unlike the training skies."] : ["Not judged", "There is no run to judge it."];
  const title = p == null ? unjudged[0] : isLens(p) ? "Lens" : "No lens";
  const by = { lightgbm: "by the trees", cnn: "by trees and networks", withheld: "" }[skies.decided_by[index]] ?? "";
  const truth = label == null ? "The label is not known." : `Labelled as ${label ? "a lens" : "no lens"}.`;
  return [
    element("span", { class: "big" }, title),
    element("span", {}, p == null ? unjudged[1] : `Probability of a lens ${probability(p)} ${by}`),
    element("span", { class: "muted" }, truth),
    kind === "wrong" || kind === "unlike" ? element("span", { class: `pill ${kind}` }, name) : null,
    skies.reason[index] ? element("span", { class: "muted small" }, skies.reason[index]) : null,
  ].filter(Boolean);
}

/** Return the numbers of a sky; those of its maps are left out where these are not in the page, null. */
function factsBlock(index, sky) {
  const [row, column, error] = sky?.best ?? [skies.row[index], skies.column[index], facts[index]?.error];
  const [lens, world, bayes] = [lensOf(index), worldAt(sky?.world, row, column), sky?.bayes ?? facts[index]?.bayes];
  const amplitude = sky?.amplitude ?? facts[index]?.amplitude;
  const rows = [
    row != null && ["best-fit position", `row ${fixed(row, 1)}, column ${fixed(column, 1)}${error == null ? "" : `, ± ${fixed(error, 1)} px`}`],
    world && ["RA, Dec", `${fixed(world[0], 5)}°, ${signed(world[1], 5)}°`],
    lens && ["true position", `row ${fixed(lens[0], 1)}, column ${fixed(lens[1], 1)}`],
    skies.offset_px[index] != null && ["offset", `${fixed(skies.offset_px[index], 1)} px`],
    skies.snr[index] != null && ["highest S/N", `${fixed(skies.snr[index])}, of all Gaussian windows`],
    sky && ["peak of the map", `S/N ${fixed(sky.peak[2])} (${sky.filter})`],
    bayes && ["log Bayes factor", `${signed(bayes[0], 1)}: shapes ${signed(bayes[1], 1)}, counts ${signed(bayes[2], 1)}`],
    amplitude != null && ["amplitude", `${fixed(amplitude)} of the mean lens`],
    skies.likeness[index] != null && ["likeness", fixed(skies.likeness[index], 3)],
    sky && ["image", `${sky.shape[1]} × ${sky.shape[0]} px${sky.pixel_side ? `, ${short(60 * sky.pixel_side)}″ a pixel` : ""}`],
    sky?.notes.length > 0 && ["notes", sky.notes.join("; ")],
  ];
  return element("dl", { class: "facts tight" }, ...rows.filter(Boolean).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function contributionsBlock(index) {
  const contributions = facts[index]?.contributions;
  if (!contributions) return null;
  const stage = skies.outcome[index] === "withheld" ? ", before it was withheld" : "";
  const { parts, others, baseline, total } = contributions;
  const largest = Math.max(...parts.map(([, value]) => Math.abs(value)), 1e-9);
  const rows = [...parts.map(([term, value]) => [page.terms?.[term] ?? term, value]), ["all others", others], ["baseline of the training skies", baseline]].filter(([, value]) => value).map(([name, value]) => {
    const bar = element("i");
    const length = Math.min(50, (50 * Math.abs(value)) / largest);
    bar.style.width = `${length}%`;
    bar.style.left = `${value < 0 ? 50 - length : 50}%`;
    return element("div", { class: value < 0 ? "against" : "for" }, element("span", {}, name), element("b", {}, signed(value)),
      element("span", { class: "track" }, bar));
  });
  return element("div", {}, element("h3", {}, "Contributions to the verdict"),
    element("p", { class: "muted small" }, `Contributions to the log-odds of a lens${stage}, ${signed(total)} in sum; orange bars are for a lens, blue ones against.`),
    element("div", { class: "parts" }, ...rows));
}

/** Close a sky: the list continues at the one that was shown last. */
function leaveSky() {
  if (state.sky) updateState({ sky: "" });
  if (listOrder.includes(lastShown)) focusListed(lastShown);
}

function startSky() {
  const dialog = byId("sky");
  if (!dialog) return;
  byId("previous").addEventListener("click", () => stepSky(-1));
  byId("next").addEventListener("click", () => stepSky(1));
  byId("close").addEventListener("click", () => dialog.close());
  byId("ellipses").addEventListener("click", toggleMarks);
  dialog.addEventListener("close", leaveSky);
  new ResizeObserver(redraw).observe(byId("panels"));
  onState(showSky);
  showSky();
}
