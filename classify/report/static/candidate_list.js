// The table of candidates: columns, filters and order.

const columns = pageData("columns");
const columnOf = Object.fromEntries(columns.map((column) => [column.name, column]));
const shownColumns = columns.filter((column) => column.kind !== "hidden");
const nCandidates = columns[0].values.length;
const FIRST = 100;
const BATCH = 400;
let listOrder = [];
let nListed = 0;

const valueOf = (name, index) => columnOf[name]?.values[index];

const PROBABILITIES = ["false_alarm_probability", "known_chance"];
const DECIMALS = { ra: 5, dec: 5, snr: 2, snr_cross: 2, log_bayes_factor: 1, empty_fraction: 2, expected_purity: 3, local_completeness: 2 };

/** Return a value of a column as text. */
function textOf(column, index) {
  const value = column.values[index];
  if (column.kind === "flag") return value ? "yes" : "no";
  if (column.kind === "text") return value || "–";
  if (value == null) return "–";
  if (PROBABILITIES.includes(column.name)) return minus(String(Number(value.toPrecision(2))));
  if (column.name in DECIMALS) return (column.name === "dec" || column.name === "snr_cross" ? signed : fixed)(value, DECIMALS[column.name]);
  return minus(String(Number(value.toPrecision(["x", "y"].includes(column.name) ? 6 : 3))));
}

/** Return the indices of the candidates that pass the filters of a state, in its order. */
function chosenCandidates(view) {
  const bound = (text, test) => text !== "" && Number.isFinite(Number(text)) && ((i) => test(i, Number(text)));
  const flag = (text, name) => ["yes", "no"].includes(text) && columnOf[name] && ((i) => valueOf(name, i) === (text === "yes"));
  const text = view.q.toLowerCase();
  const tests = [
    bound(view.snr, (i, value) => valueOf("snr", i) >= value),
    bound(view.pmax, (i, value) => valueOf("false_alarm_probability", i) != null && valueOf("false_alarm_probability", i) <= value),
    columnOf.expected_purity && bound(view.purity, (i, value) => valueOf("expected_purity", i) >= value),
    flag(view.edge, "edge"), flag(view.known, "matched"),
    text && columnOf.known_name && ((i) => valueOf("known_name", i).toLowerCase().includes(text)),
  ].filter(Boolean);
  return sorted(Array.from({ length: nCandidates }, (_, i) => i).filter((i) => tests.every((test) => test(i))), view.sort);
}

/** Sort indices by a column, descending if its name has a minus; unknown values come last. */
function sorted(indices, sort) {
  const column = shownColumns.find(({ name }) => name === sort.replace(/^-/, ""));
  if (!column) return indices;
  const sign = sort.startsWith("-") ? -1 : 1;
  return indices.sort((a, b) => {
    const [x, y] = [column.values[a], column.values[b]];
    if (x == null || y == null) return (x == null) - (y == null) || a - b;
    return sign * (column.kind === "text" ? x.localeCompare(y) : x - y) || a - b;
  });
}

const LIST_KEYS = STATE_KEYS.filter((key) => key !== "candidate");

/** Make the table again if the state asks for another one. */
function showList(before) {
  if (before && LIST_KEYS.every((key) => before[key] === state[key])) return;
  listOrder = chosenCandidates(state);
  byId("count").textContent = `${listOrder.length} of ${nCandidates}`;
  byId("empty").hidden = listOrder.length > 0;
  byId("table").hidden = listOrder.length === 0;
  const focused = document.activeElement?.dataset?.sort;
  byId("table").replaceChildren(emptyTable());
  if (focused) byId("table").querySelector(`[data-sort="${focused}"]`)?.focus();
  nListed = 0;
  listMore(FIRST);
}

function listMore(n = BATCH) {
  const next = listOrder.slice(nListed, nListed + n);
  nListed += next.length;
  offerMore(BATCH, listOrder.length - nListed);
  byId("table").querySelector("tbody").append(...next.map(tableRow));
  markRow();
}

function emptyTable() {
  const heads = shownColumns.map((column) => {
    const { name } = column;
    const direction = { [name]: "ascending", [`-${name}`]: "descending" }[state.sort || "-snr"];
    const sort = () => updateState({ sort: state.sort === `-${name}` ? name : `-${name}` });
    const button = element("button", { type: "button", title: column.description, "data-sort": name, onclick: sort }, column.title,
      { ascending: " ↑", descending: " ↓" }[direction] ?? "", column.unit ? element("span", { class: "unit" }, column.unit) : null);
    return element("th", { scope: "col", class: column.kind === "number" ? "n" : "", "aria-sort": direction }, button);
  });
  return element("table", {}, element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Number"), ...heads)), element("tbody"));
}

function tableRow(index) {
  const open = () => openCandidate(index);
  const button = element("button", { type: "button", "data-index": index, onclick: open, "aria-label": `Candidate ${index + 1}, S/N ${fixed(valueOf("snr", index), 1)}` }, String(index + 1));
  const cells = shownColumns.map((column) => element("td", { class: column.kind === "number" ? "n" : "" }, textOf(column, index)));
  return element("tr", { "data-row": index, onclick: (event) => event.target.tagName !== "BUTTON" && open() }, element("td", {}, button), ...cells);
}

/** Mark the row of the chosen candidate. */
function markRow() {
  document.querySelectorAll("[data-row]").forEach((row) => {
    if (Number(row.dataset.row) === chosenIndex()) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  });
}

/** Return the index of the candidate of the state; that of the first in the list without one, and -1 where there is none. */
function chosenIndex() {
  const index = /^\d+$/.test(state.candidate) ? Number(state.candidate) - 1 : -1;
  return index >= 0 && index < nCandidates ? index : listOrder[0] ?? -1;
}

const openCandidate = (index) => {
  updateState({ candidate: String(index + 1) });
  byId("one").scrollIntoView();
};

/** Choose the candidate so many ranks further in the list. */
function stepCandidate(steps) {
  const rank = listOrder.indexOf(chosenIndex()) + steps;
  if (rank >= 0 && rank < listOrder.length) updateState({ candidate: String(listOrder[rank] + 1) });
}

function startList() {
  const form = byId("filters");
  const fields = [...form.elements].filter((field) => field.name);
  const write = () => fields.forEach((field) => {
    if (field !== document.activeElement || field.tagName === "SELECT") field.value = field.type === "number" && !Number.isFinite(Number(state[field.name])) ? "" : state[field.name];
  });
  form.addEventListener("input", (event) => updateState({ [event.target.name]: event.target.value }));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => updateState(Object.fromEntries(fields.map((field) => [field.name, ""]))));
  if (matchMedia("(max-width: 44rem)").matches) byId("filter-box").open = false;
  byId("more").addEventListener("click", () => listMore());
  onState(write);
  onState(showList);
  write();
  showList();
}
