// Limits that are crossed: a line of chips above the figures, each with since when, and a sound where one begins.
import { duration, now } from "./clock.js";
import { el, fill } from "./dom.js";
import { t } from "./texts.js";

const QUIET_MS = 10_000; // however many begin, one sound in so long

/** What an alert says: the queue, the limit and the figure, and since when. */
export function alertText(alert, labels) {
  const words = { limit: alert.limit, value: alert.value };
  const what = (labels.limits[alert.kind] || alert.kind).replace(/%\((\w+)\)s/g, (whole, name) => words[name] ?? whole).replaceAll("%%", "%");
  const since = t("已 %(d)s", { d: duration((now() - Date.parse(alert.since)) / 1000) });
  return `${labels.queues[alert.queue] || alert.queue} ${what} · ${since}`;
}

/** Return a function that draws the alerts into `box` and rings when one begins. */
export function alerts(box, labels) {
  let known = null;
  let rang = 0;

  return (list, sound) => {
    const keys = new Set(list.map((alert) => `${alert.queue}|${alert.kind}|${alert.since}`));
    const begun = known !== null && [...keys].some((key) => !known.has(key));
    known = keys;
    const texts = list.map((alert) => alertText(alert, labels));
    const chips = [...box.children];
    if (chips.length !== texts.length) fill(box, texts.map((text) => el("span", { class: "chip", "data-tone": "brick" }, text)));
    else texts.forEach((text, index) => { if (chips[index].textContent !== text) chips[index].textContent = text; });
    if (begun && sound && Date.now() - rang > QUIET_MS) {
      rang = Date.now();
      ring();
    }
  };
}

/** Two short notes. A page that nobody has touched yet may make no sound: then it makes none. */
function ring() {
  const Sound = window.AudioContext;
  if (!Sound || !navigator.userActivation?.hasBeenActive) return;
  const context = new Sound();
  const loudness = context.createGain();
  loudness.gain.value = 0.15;
  loudness.connect(context.destination);
  [880, 660].forEach((pitch, index) => {
    const note = context.createOscillator();
    note.frequency.value = pitch;
    note.connect(loudness);
    note.start(context.currentTime + index * 0.25);
    note.stop(context.currentTime + index * 0.25 + 0.18);
    if (index === 1) note.onended = () => context.close();
  });
}
