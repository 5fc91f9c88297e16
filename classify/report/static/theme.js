// Light and dark: as the system has it, or as chosen.

const THEMES = ["auto", "light", "dark"];
const themeListeners = new Set();

/** Return the colour of a custom property as it applies now. */
function themeColor(name) {
  const probe = element("span", { style: `color: var(--${name})` });
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

/** Call a function whenever the colours change; return a function that ends this. */
function onTheme(listener) {
  themeListeners.add(listener);
  return () => themeListeners.delete(listener);
}

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").textContent = `Theme: ${theme}`;
  themeListeners.forEach((listener) => listener());
}

function startTheme() {
  let stored = null;
  try {
    stored = localStorage.getItem("darkmatter-theme");
  } catch {} // no storage for this file: the theme lasts as long as the page
  let theme = THEMES.includes(stored) ? stored : "auto";
  setTheme(theme);
  byId("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try {
      localStorage.setItem("darkmatter-theme", theme);
    } catch {}
    setTheme(theme);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => themeListeners.forEach((each) => each()));
}
