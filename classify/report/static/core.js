// Elements, data of the page, and numbers as text.

const byId = (id) => document.getElementById(id);

/** Return a new element; children are elements or text, never markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** Return the content of a JSON element of the page; null if there is none. */
function pageData(id) {
  const found = byId(`data-${id}`);
  return found ? JSON.parse(found.textContent) : null;
}

const page = pageData("page") ?? {};

const minus = (text) => text.replace("-", "−");

/** Return a number with so many decimals and a true minus sign; a dash for unknown. */
const fixed = (value, decimals = 2) => (value == null || Number.isNaN(value) ? "–" : minus(value.toFixed(decimals)).replace(/^−(?=[0.]*$)/, ""));

const signed = (value, decimals = 2) => (value > 0 ? "+" : "") + fixed(value, decimals);

/** Return a value of a map with the decimals of its quantisation, in which it is exact. */
const exact = (map, value) => signed(value, Math.min(map.decimals, 20));

/** Return a number with up to four significant digits. */
const short = (value) => (value == null ? "–" : minus(String(Number(value.toPrecision(4)))));

/** Return a probability, which is never rounded to 0 or 1. */
function probability(value) {
  if (value == null) return "–";
  if (value < 0.001) return "< 0.001";
  if (value > 0.999) return "> 0.999";
  return value.toFixed(3);
}

const bytesOf = (base64 = "") => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** Move to a section without changing the address, which keeps the view. */
function onAnchor(event) {
  const target = byId(event.target.getAttribute("href").slice(1));
  if (!target) return;
  event.preventDefault();
  target.scrollIntoView();
  if (!target.hasAttribute("tabindex")) target.setAttribute("tabindex", "-1");
  target.focus({ preventScroll: true });
}

/** Set the button that shows the next entries of a list, of `left` that are not shown. */
function offerMore(batch, left) {
  byId("more").hidden = left === 0;
  byId("more").textContent = `Show ${Math.min(batch, left)} more of ${left}`;
}
