// What is being said, line by line: partial texts replaced by final ones, gaps marked, the delay shown. All of it
// is a stranger's own words: it goes in as text, and the page never grows without bound.
import { duration } from "./clock.js";
import { byId, el, fill, setData, setText } from "./dom.js";
import { t } from "./texts.js";

const MOST_LINES = 300;
const NEAR_END_PX = 48;
const LATE_S = 1.5; // a delay longer than this is said in words
const SPEAKERS = ["customer", "agent"];

const names = { customer: () => t("客户"), agent: () => t("坐席") };
const missing = {
  stopped: () => t("声音中断"),
  too_fast: () => t("声音异常"),
  behind: () => t("没来得及听"),
  recogniser_lost: () => t("识别中断"),
  not_tapped: () => t("没有听"),
};

let callId = null;
let known = new Set(); // finals and gaps that are on the page
let partials = {}; // speaker → the line that may still change
let states = {}; // speaker → {state, delay}
let marks = {}; // final → the words in it that light up: [{kind, text}]

const list = () => byId("words-lines");
const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;

/** Draw all that was said in a call; `null` for none. */
export function drawWords(whole) {
  const same = whole?.call_id === callId;
  const box = list();
  const [stay, top] = [same && !atEnd(box), box.scrollTop];
  callId = whole?.call_id ?? null;
  known = new Set();
  partials = {};
  states = {};
  if (!same) marks = {};
  fill(box);
  for (const line of whole?.lines || []) take(line);
  byId("words").hidden = !(whole?.lines || []).length;
  drawState();
  box.scrollTop = stay ? top : box.scrollHeight;
  byId("words-more").hidden = !stay;
}

/** Show no other call's words than those of `wanted`; its own come with the next thing that is said. */
export function aimWords(wanted) {
  if (callId !== wanted) drawWords(null);
}

/** Light up words of the finals that are shown: `wanted` is final → [{kind, text}]. */
export function markWords(wanted) {
  marks = wanted;
  for (const row of list().querySelectorAll("[data-id]")) {
    const said = row.querySelector(".said");
    if (said) light(said, row.dataset.id, said.textContent);
  }
}

/** Write `text` with the words in it that light up. */
function light(said, id, text) {
  const wanted = marks[id] || [];
  const key = wanted.map((mark) => `${mark.kind} ${mark.text}`).join("|");
  if (said.dataset.lit === key) return;
  said.dataset.lit = key;
  const parts = [];
  let from = 0;
  for (const mark of wanted) {
    const at = mark.text ? text.indexOf(mark.text, from) : -1;
    if (at < 0) continue;
    parts.push(text.slice(from, at), el("mark", { dataset: { kind: mark.kind } }, mark.text));
    from = at + mark.text.length;
  }
  fill(said, parts, text.slice(from));
}

/** Take one more line, of the call that is shown. */
export function addWords(line) {
  if (line.call_id !== callId) return;
  const box = list();
  const follow = atEnd(box);
  const top = box.scrollTop;
  byId("words").hidden = false;
  take(line);
  drawState();
  // Whoever reads further up stays where they are.
  box.scrollTop = follow ? box.scrollHeight : top;
  if (!follow && line.kind !== "state") byId("words-more").hidden = false;
}

function take(line) {
  if (!SPEAKERS.includes(line.speaker)) return;
  if (line.kind === "state") {
    states[line.speaker] = line;
    if (line.state === "ended" || line.state === "paused") drop(line.speaker);
    return;
  }
  if (line.kind === "partial") {
    drawPartial(line);
    return;
  }
  drop(line.speaker);
  if (known.has(line.id)) return;
  known.add(line.id);
  if (typeof line.delay === "number") states[line.speaker] = { ...states[line.speaker], delay: line.delay };
  place(line.kind === "gap" ? gapLine(line) : textLine(line), line.start);
}

function textLine(line) {
  const made = el("li", { dataset: { speaker: line.speaker, ...(line.id && { id: line.id }) } },
    el("span", { class: "who" }, names[line.speaker](), " ", el("time", { class: "num" }, duration(line.start))),
    el("span", { class: "said wrap", dir: "auto" }, line.text));
  if (marks[line.id]) light(made.querySelector(".said"), line.id, line.text);
  return made;
}

function gapLine(line) {
  const why = missing[line.reason]?.() || t("没有听");
  return el("li", { class: "gap small", dataset: { speaker: line.speaker } },
    t("%(who)s：%(why)s，缺约 %(seconds)s 秒，通话后从录音补", { who: names[line.speaker](), why, seconds: Math.max(1, Math.round(line.seconds)) }));
}

function drawPartial(line) {
  const shown = partials[line.speaker];
  if (shown) {
    setText(shown.querySelector(".said"), line.text);
    return;
  }
  const made = textLine(line);
  made.classList.add("partial");
  partials[line.speaker] = made;
  list().append(made);
  trim();
}

function drop(speaker) {
  partials[speaker]?.remove();
  delete partials[speaker];
}

/** Put a line where its time belongs; what may still change stays below. */
function place(made, start) {
  made.dataset.start = String(start);
  let before = null;
  for (let row = list().lastElementChild; row; row = row.previousElementSibling) {
    if (!row.classList.contains("partial") && Number(row.dataset.start) <= start) break;
    before = row;
  }
  list().insertBefore(made, before);
  trim();
}

function trim() {
  const box = list();
  while (box.childElementCount > MOST_LINES && !box.firstElementChild.classList.contains("partial")) {
    box.firstElementChild.remove();
  }
  while (known.size > 2 * MOST_LINES) known.delete(known.values().next().value);
}

function drawState() {
  const heard = SPEAKERS.map((speaker) => states[speaker]).filter(Boolean);
  const any = (state) => heard.some((one) => one.state === state);
  const chip = byId("words-state");
  const delay = Math.max(0, ...heard.filter((one) => one.state !== "ended").map((one) => one.delay || 0));
  if (any("paused")) show(chip, "paused", t("已暂停，这段不记文字"));
  else if (heard.length && heard.every((one) => one.state === "ended")) show(chip, "ended", t("已结束"));
  else if (any("waiting")) show(chip, "late", t("识别忙，文字暂停"));
  else if (delay > LATE_S) show(chip, "late", t("文字延迟 %(seconds)s 秒", { seconds: delay.toFixed(1) }));
  else show(chip, "live", heard.length ? t("延迟 %(seconds)s 秒", { seconds: delay.toFixed(1) }) : "");
}

function show(chip, state, text) {
  setData(chip, "state", state);
  setText(chip, text);
}

byId("words-more").addEventListener("click", () => {
  list().scrollTop = list().scrollHeight;
});
list().addEventListener("scroll", () => {
  if (atEnd(list())) byId("words-more").hidden = true;
}, { passive: true });
