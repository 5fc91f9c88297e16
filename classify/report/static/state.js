// The address of the page keeps the view: filters, order, kind of list, sky.

const STATE_KEYS = page.state_keys ?? ["filter", "label", "pmin", "pmax", "snr", "q", "sort", "view", "sky"];
const stateListeners = [];
let state = stateOf(location.hash);

/** Return the entries of an address; unknown ones are ignored. */
function stateOf(hash) {
  const found = new URLSearchParams(hash.includes("=") ? hash.slice(1) : "");
  return Object.fromEntries(STATE_KEYS.map((key) => [key, found.get(key) ?? ""]));
}

/** Change entries of the state and the address; `push` makes a step of the browser's history. */
function updateState(changes, push = false) {
  const before = state;
  state = { ...state, ...changes };
  const kept = new URLSearchParams(STATE_KEYS.filter((key) => state[key]).map((key) => [key, state[key]]));
  const address = `#${kept}`;
  if (push) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  stateListeners.forEach((listener) => listener(before));
}

function onState(listener) {
  stateListeners.push(listener);
}

function startState() {
  const read = () => {
    if (location.hash.length > 1 && !location.hash.includes("=")) return;
    const before = state;
    state = stateOf(location.hash);
    stateListeners.forEach((listener) => listener(before));
  };
  addEventListener("popstate", read);
  addEventListener("hashchange", read);
}
