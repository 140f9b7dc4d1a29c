// A call's recordings. What is on the page may be drawn anew at any time, so everything is asked of it when needed.
const LEAD = 0.15; // what is said begins a little before its time
const STEP = 5;

const parts = () => [...document.querySelectorAll(".recording")];
const sound = (part) => part.querySelector("audio");

function play(part, at) {
  const audio = sound(part);
  const begin = () => {
    audio.currentTime = Math.max(0, at - LEAD);
    audio.play().catch(() => {});
  };
  if (audio.readyState >= 1) begin();
  else {
    audio.addEventListener("loadedmetadata", begin, { once: true });
    audio.load();
  }
}

/** Play from a moment, in seconds since the first sound of the first recording. */
export function hear(at) {
  const all = parts();
  const part = all.findLast((one) => at >= Number(one.dataset.offset) - LEAD) ?? all[0];
  if (part) play(part, at - Number(part.dataset.offset));
}

/** The moment that an element plays, counted likewise; nothing for any other element. */
export function momentOf(audio) {
  const part = audio.closest?.(".recording");
  return part ? Number(part.dataset.offset) + audio.currentTime : null;
}

function lengthOf(part) {
  return Number(part.dataset.seconds) || 1;
}

document.addEventListener("click", (event) => {
  const part = event.target.closest(".recording");
  if (!part) return;
  const mark = event.target.closest("[data-hear]");
  if (mark) play(part, Number(mark.dataset.hear));
  const picture = event.target.closest(".wave svg");
  if (!picture) return;
  const box = picture.getBoundingClientRect();
  play(part, ((event.clientX - box.left) / box.width) * lengthOf(part));
});

const heed = (name, act) => document.addEventListener(name, act, { capture: true }); // it does not bubble

heed("timeupdate", ({ target }) => {
  const part = target.closest?.(".recording");
  const now = part?.querySelector(".now");
  if (!now) return;
  const x = Math.min(1000, (1000 * target.currentTime) / lengthOf(part));
  now.setAttribute("x1", x);
  now.setAttribute("x2", x);
});

heed("play", ({ target }) => {
  if (!target.closest?.(".recording")) return;
  target.playbackRate = Number(document.getElementById("speed")?.value ?? 1);
  for (const other of parts().map(sound)) if (other !== target) other.pause();
});

// One recording after the other, as the call went.
heed("ended", ({ target }) => {
  const all = parts();
  const next = all[all.indexOf(target.closest?.(".recording")) + 1];
  if (next) play(next, 0);
});

document.addEventListener("change", (event) => {
  if (event.target.id === "speed") for (const audio of parts().map(sound)) audio.playbackRate = Number(event.target.value);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select, audio")) return;
  const step = { j: -STEP, l: STEP }[event.key];
  const audio = parts().map(sound).find((one) => !one.paused);
  if (step && audio) audio.currentTime = Math.max(0, audio.currentTime + step);
});
