// Skies that a server measures when they are asked for: those in view, and all by a button; one after the other.

const waiting = [];
let isMeasuring = false;

/** Ask for the verdict on a sky, unless it is known. */
function measureSky(index) {
  if (!page.measures || skies.outcome[index] !== "unmeasured" || waiting.includes(index)) return;
  waiting.push(index);
  if (!isMeasuring) measureWaiting();
}

async function measureWaiting() {
  isMeasuring = true;
  while (waiting.length) {
    const index = waiting[0];
    if (skies.outcome[index] === "unmeasured") await measureNow(index);
    waiting.shift();
  }
  isMeasuring = false;
  showMeasured();
}

async function measureNow(index) {
  try {
    const response = await fetch(`verdict/${index}.json`);
    const body = await response.json();
    if (!response.ok) throw new Error(body.error);
    takeVerdict(index, body);
  } catch (error) {
    skies.outcome[index] = "failed";
    skies.reason[index] = error.message;
    updateListed(index);
  }
}

/** Measure all skies in the order of the list, and list them again when all are there. */
async function measureAll() {
  byId("measure-all").disabled = true;
  const all = [...listOrder, ...skies.name.keys()];
  waiting.push(...new Set(all.filter((i) => skies.outcome[i] === "unmeasured" && !waiting.includes(i))));
  if (!isMeasuring) await measureWaiting();
  showList();
}

/** Show how many skies are measured, and the button while some are not. */
function showMeasured() {
  if (!page.measures) return;
  const n = skies.outcome.filter((each) => each !== "unmeasured").length;
  byId("measured").textContent = n < skies.name.length ? `${n} of ${skies.name.length} measured` : "";
  byId("measure-all").hidden = n === skies.name.length;
}
