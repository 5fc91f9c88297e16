// Keys and the start of the page.

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (byId("help")?.open) return; // its dialog is in front: keys are not for the sky behind
  const isOpen = byId("sky")?.open;
  const action = isOpen ? skyAction(event) : listAction(event);
  if (!action || isTyping) return;
  event.preventDefault();
  action();
}

function skyAction(event) {
  const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const step = arrows[event.key];
  if (step && event.shiftKey) return viewer.sky && (() => stepCursor(...step));
  return { ArrowLeft: () => stepSky(-1), ArrowRight: () => stepSky(1), e: toggleMarks, "?": showHelp }[event.key];
}

function listAction(event) {
  const search = byId("filters")?.elements.q;
  return { "/": search && (() => search.focus()), "?": showHelp }[event.key];
}

const showHelp = () => byId("help")?.showModal();

startTheme();
startState();
startCharts();
if (skies) {
  startGallery();
  startSky();
}
byId("help-button").addEventListener("click", showHelp);
document.querySelectorAll('a[href^="#"]').forEach((anchor) => anchor.addEventListener("click", onAnchor));
addEventListener("keydown", onKey);
document.body.dataset.ready = "true";
