// Which skies the list has, and in which order.

let listOrder = [];

const KINDS = {
  right: (i) => skies.outcome[i] === "right",
  wrong: (i) => WRONG.includes(skies.outcome[i]),
  missed: (i) => skies.outcome[i] === "missed",
  false: (i) => skies.outcome[i] === "false",
  uncertain: (i) => skies.uncertain[i] === 1,
  unlike: (i) => skies.unlike[i] === 1,
  withheld: (i) => skies.outcome[i] === "withheld",
};

const LABELS = { 0: (i) => skies.label[i] === 0, 1: (i) => skies.label[i] === 1, none: (i) => skies.label[i] == null };

const own = (entries, name) => (Object.hasOwn(entries, name) ? entries[name] : undefined);

/** Return the indices of the skies that pass the filters of a state, in its order. */
function chosenSkies(view) {
  const tests = [own(KINDS, view.filter), own(LABELS, view.label), ...rangeTests(view)].filter(Boolean);
  const text = view.q.toLowerCase();
  if (text) tests.push((i) => skies.name[i].toLowerCase().includes(text));
  const found = skies.name.map((_, i) => i).filter((i) => tests.every((test) => test(i)));
  return sorted(found, view.sort);
}

/** Return tests of probability and S/N; a bound that is no number has no effect. */
function rangeTests({ pmin, pmax, snr }) {
  const bound = (text, test) => text !== "" && Number.isFinite(Number(text)) && ((i) => test(i, Number(text)));
  return [
    bound(pmin, (i, value) => skies.probability[i] != null && skies.probability[i] >= value),
    bound(pmax, (i, value) => skies.probability[i] != null && skies.probability[i] <= value),
    bound(snr, (i, value) => skies.snr[i] != null && skies.snr[i] >= value),
  ];
}

/** Sort indices by a column, descending if its name has a minus; unknown values come last, equal ones by name. */
function sorted(indices, sort) {
  const name = sort.replace(/^-/, "");
  const sign = sort.startsWith("-") ? -1 : 1;
  const keys = name === "uncertain" ? skies.probability.map((p) => (p == null ? null : Math.abs(p - page.threshold))) : own(skies, name);
  if (!keys) return indices;
  const isText = typeof keys.find((key) => key != null) === "string";
  return indices.sort((a, b) => {
    const [x, y] = [keys[a], keys[b]];
    if (x == null || y == null) return (x == null) - (y == null) || a - b;
    return sign * (isText ? x.localeCompare(y) : x - y) || a - b;
  });
}

/** Add an order to the choices of the form, such as that of a column whose head was clicked. */
function offerSort(field, sort) {
  const [, title] = TABLE_COLUMNS.find(([key]) => key === sort.replace(/^-/, "")) ?? [];
  if (!title || [...field.options].some((option) => option.value === sort)) return;
  field.append(element("option", { value: sort }, `${title}, ${sort.startsWith("-") ? "descending" : "ascending"}`));
}

/** Connect the form of the filters with the state. */
function startFilters() {
  const form = byId("filters");
  const fields = [...form.elements].filter((field) => field.name);
  const write = () => fields.forEach((field) => {
    if (field.name === "sort") offerSort(field, state.sort);
    if (field !== document.activeElement || field.tagName === "SELECT") field.value = field.type === "number" && !Number.isFinite(Number(state[field.name])) ? "" : state[field.name];
  });
  form.addEventListener("input", (event) => updateState({ [event.target.name]: event.target.value }));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => updateState(Object.fromEntries(fields.map((field) => [field.name, ""]))));
  document.querySelectorAll("[data-filter]").forEach((button) => button.addEventListener("click", () => {
    updateState({ ...Object.fromEntries(fields.map((field) => [field.name, ""])), filter: button.dataset.filter });
    byId("skies").scrollIntoView();
  }));
  onState(write);
  write();
}
