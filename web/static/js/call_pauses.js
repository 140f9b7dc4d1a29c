// On the board, beside each call: whether its recording is paused, by whom and since when; and the button for it.
import { tickFrom } from "./clock.js";
import { el, setData, setText } from "./dom.js";
import { send } from "./page.js";
import { t } from "./texts.js";

const SPOKEN = ["talking", "held"];
const known = new Map();
const asked = new Set();
let redraw = () => {};

/** Take what the server tells: every pause that lasts. */
export function takePauses({ pauses }) {
  known.clear();
  for (const pause of pauses) known.set(pause.call_id, pause);
  redraw();
}

/** Say what to call when a pause has changed. */
export function onPauses(run) {
  redraw = run;
}

/** Return the cell of a call; `may`: its button is there. */
export function pauseCell(call, may) {
  return { draw: (cell) => draw(cell, call, may) };
}

function draw(cell, call, may) {
  if (!cell.firstElementChild) {
    const button = el("button", { class: "button compact", type: "button", on: { click: () => toggle(cell) } });
    const sign = el("span", { class: "chip", dataset: { tone: "amber" } });
    const time = el("span", { class: "small muted num pause-time" });
    cell.append(el("div", {}, sign, " ", time), el("div", {}, el("span", { class: "small pause-by" }), " ", button));
    cell.className = "pause";
  }
  const [[sign, time], [who, button]] = [...cell.children].map((line) => line.children);
  const pause = known.get(call.call_id);
  setData(cell, "call", call.call_id);
  setData(cell, "state", pause ? pause.state : "running");
  sign.parentElement.hidden = !pause;
  setText(sign, pause?.state === "pausing" ? t("正在暂停") : t("已暂停"));
  setText(who, pause ? (pause.why === "automatic" ? t("自动") : pause.by) : "");
  tickFrom(time, pause?.since || null, null);
  button.hidden = !may || !(pause || SPOKEN.includes(call.state));
  button.disabled = asked.has(call.call_id);
  setText(button, pause ? t("恢复") : t("暂停"));
  button.setAttribute("aria-label", pause ? t("恢复录音") : t("暂停录音"));
}

async function toggle(cell) {
  const about = cell.dataset.call;
  if (asked.has(about)) return;
  asked.add(about);
  redraw();
  try {
    await send("POST", `/api/v1/calls/${about}/recording/${known.has(about) ? "resume" : "pause"}`, {});
  } catch { /* said on the page; what is so, the live connection tells */ }
  asked.delete(about);
  redraw();
}
