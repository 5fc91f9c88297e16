// The skies as tiles, of images or of maps, or as a table; a button appends more.

const FIRST = matchMedia("(max-width: 44rem)").matches ? 12 : 28;
const BATCH = 112;
let nListed = 0;

const TABLE_COLUMNS = [
  ["name", "sky", null], ["label", "label", (value) => (value == null ? "–" : value ? "lens" : "no lens")],
  ["probability", "probability", probability], ["snr", "S/N", (value) => fixed(value)], ["likeness", "likeness", (value) => fixed(value, 3)],
  ["row", "row", (value) => fixed(value, 1)], ["column", "column", (value) => fixed(value, 1)],
  ["offset_px", "offset, px", (value) => fixed(value, 1)], ["decided_by", "decided by", (value) => value || "–"],
];

const VIEWS = { "": "images", maps: "maps", table: "table" };

const LIST_KEYS = STATE_KEYS.filter((key) => key !== "sky");

/** Make the list again if the state asks for another one. */
function showList(before) {
  if (before && LIST_KEYS.every((key) => before[key] === state[key])) return;
  listOrder = chosenSkies(state);
  const isTable = state.view === "table";
  byId("count").textContent = `${listOrder.length} of ${skies.name.length}`;
  showMeasured();
  byId("empty").hidden = listOrder.length > 0 || skies.name.length === 0;
  byId("gallery").hidden = isTable;
  byId("table").hidden = !isTable;
  document.querySelectorAll("[data-view]").forEach((button) =>
    button.setAttribute("aria-pressed", String(button.dataset.view === (Object.hasOwn(VIEWS, state.view) ? state.view : ""))));
  byId("gallery").replaceChildren();
  byId("table").replaceChildren(...(isTable ? [emptyTable()] : []));
  nListed = 0;
  listMore(FIRST);
}

/** Append the next skies to the list. */
function listMore(n = BATCH) {
  const next = listOrder.slice(nListed, nListed + n);
  nListed += next.length;
  offerMore(BATCH, listOrder.length - nListed);
  if (state.view === "table") byId("table").querySelector("tbody").append(...next.map(tableRow));
  else byId("gallery").append(...next.map(tile));
}

/** Focus a sky of the list, with as many more skies as it takes. */
function focusListed(index) {
  const rank = listOrder.indexOf(index);
  if (rank >= nListed) listMore(rank + 1 - nListed);
  document.querySelector(`button[data-index="${index}"]`).focus();
}

/** Length of the longest folder that all names begin with. */
const commonFolder = (() => {
  let folder = (skies?.name[0] ?? "").replace(/[^/]*$/, "");
  while (folder && !skies.name.every((name) => name.startsWith(folder))) folder = folder.replace(/[^/]*\/$/, "");
  return folder.length;
})();

const shortName = (index) => skies.name[index].slice(commonFolder);

function tile(index) {
  const [kind, name] = verdictState(index);
  const p = skies.probability[index];
  const frame = element("span", { class: "image" }, imageElement(index),
    kind === "right" ? null : element("span", { class: `pill state ${kind}` }, name));
  const label = `${skies.name[index]}: ${name}, probability ${probability(p)}, S/N ${fixed(skies.snr[index], 1)}`;
  return element("li", {}, element("button", {
    type: "button", class: `tile${kind === "wrong" ? " wrongly" : ""}`, "data-index": index, "aria-label": label, onclick: () => openSky(index),
  }, frame, captionOf(index)));
}

function captionOf(index) {
  const p = skies.probability[index];
  const meter = element("i");
  meter.style.width = `${100 * (p ?? 0)}%`;
  return element("span", { class: "caption" },
    element("span", { class: "name", title: skies.name[index] }, shortName(index)),
    element("span", { class: "meter" }, meter),
    element("span", {}, `p ${probability(p)}`), element("span", { class: "muted" }, `S/N ${fixed(skies.snr[index], 1)}`));
}

/** Show a sky that was measured now in its tile or row, which keeps its image. */
function updateListed(index) {
  const shown = document.querySelector(`[data-index="${index}"]`);
  if (shown?.classList.contains("tile")) {
    const made = tile(index).firstChild;
    shown.className = made.className;
    shown.setAttribute("aria-label", made.getAttribute("aria-label"));
    shown.querySelector(".pill")?.remove();
    const pill = made.querySelector(".pill");
    if (pill) shown.querySelector(".image").append(pill);
    shown.querySelector(".caption").replaceWith(made.querySelector(".caption"));
  } else shown?.closest("tr").replaceWith(tableRow(index));
  showMeasured();
}

/** Return the image or the map of a sky, which is decoded when it comes into view. */
function imageElement(index) {
  if (!hasDetails(index)) return absent("no image in this page");
  const kind = state.view === "maps" ? { tag: "canvas", role: "presentation" } : { tag: "img", alt: "", decoding: "async" };
  const { tag, ...attributes } = kind;
  const made = element(tag, { ...attributes, width: 168, height: 168, "data-image": index });
  made.addEventListener("error", () => made.replaceWith(absent("no image")), { once: true });
  inView.observe(made);
  return made;
}

const absent = (text) => element("span", { class: "absent" }, text);

const inView = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    inView.unobserve(target);
    const index = Number(target.dataset.image ?? target.dataset.index);
    measureSky(index);
    if (target.tagName === "BUTTON") continue;
    if (target.tagName === "IMG") target.src = imageOf(index);
    else drawTile(target, index).catch(() => target.dispatchEvent(new Event("error")));
  }
}, { rootMargin: "400px" });

/** Draw the S/N of tangential shear of a sky, with a ring about the true lens. */
async function drawTile(canvas, index) {
  const data = await detailsOf(index);
  const map = refined(await decodeMap(data.snr, data.grid));
  canvas.style.aspectRatio = `${data.shape[1]} / ${data.shape[0]}`;
  const drawing = drawMapPanel(canvas, data.shape, map, COLORS.shear, [-page.min_limit, page.min_limit]);
  const lens = lensOf(index);
  if (lens) outlined(drawing, MARK.lens, 1.4, (context, unit) => context.arc(lens[1], lens[0], 8 * unit, 0, 2 * Math.PI));
}

function emptyTable() {
  const heads = TABLE_COLUMNS.map(([key, title], k) => {
    const direction = { [key]: "ascending", [`-${key}`]: "descending" }[state.sort || "name"];
    const button = element("button", { type: "button", onclick: () => updateState({ sort: state.sort === `-${key}` ? key : `-${key}` }) },
      title, { ascending: " ↑", descending: " ↓" }[direction] ?? "");
    return element("th", { scope: "col", class: k > 1 && key !== "decided_by" ? "n" : "", "aria-sort": direction }, button);
  });
  return element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody"));
}

function tableRow(index) {
  const [kind, name] = verdictState(index);
  const button = element("button", { type: "button", "data-index": index, onclick: () => openSky(index), title: skies.name[index] }, shortName(index));
  if (skies.outcome[index] === "unmeasured") inView.observe(button);
  const mark = kind === "right" || kind === "open" ? null : element("span", { class: `pill ${kind}` }, name);
  const cells = TABLE_COLUMNS.slice(1).map(([key, , text], k) =>
    element("td", { class: k > 0 && key !== "decided_by" ? "n" : "" }, text(skies[key][index])));
  return element("tr", {}, element("td", {}, button, " ", mark), ...cells);
}

function startGallery() {
  if (!byId("gallery")) return;
  startFilters();
  if (matchMedia("(max-width: 44rem)").matches) byId("filter-box").open = false;
  document.querySelectorAll("[data-view]").forEach((button) => button.addEventListener("click", () =>
    updateState({ view: button.dataset.view })));
  byId("more").addEventListener("click", () => listMore());
  byId("measure-all").addEventListener("click", measureAll);
  onState(showList);
  showList();
}
