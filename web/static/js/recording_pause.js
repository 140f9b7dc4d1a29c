// The button that pauses a call's recording, for card numbers. What it says is what the server says: «paused»
// stands there only when the telephone system has done it.
import { byId, setData, setText } from "./dom.js";
import { send } from "./page.js";
import { t } from "./texts.js";

const TRIES = 4;
const AGAIN_MS = 500;

let callId = null;
let state = "running";
let asked = 0;

const address = (step = "") => `/api/v1/calls/${callId}/recording${step}`;

function draw() {
  const box = byId("recording-pause");
  setData(box, "shown", callId === null ? "no" : "yes");
  setData(box, "state", state);
  const paused = state !== "running";
  const button = byId("recording-toggle");
  button.setAttribute("aria-pressed", String(paused));
  setText(byId("recording-action"), paused ? t("恢复录音") : t("暂停录音"));
  setText(byId("recording-state"), { running: "", pausing: t("正在暂停录音…"), paused: t("录音已暂停") }[state] || "");
}

async function look() {
  const [about, number] = [callId, ++asked];
  if (about === null) return;
  try {
    const answer = await fetch(`/agent/recordings/${about}`, { headers: { Accept: "application/json" } });
    if (answer.ok && about === callId && number === asked) take(await answer.json());
  } catch { /* the banner of the live connection says that the server is away */ }
}

function take(found) {
  state = found.state;
  draw();
}

/** What the live connection tells: a pause may begin, and end, by itself. */
export function takeRecording(found) {
  if (found.call_id === null || found.call_id !== callId) return;
  asked += 1; // an answer that is still on its way is older
  take(found);
}

async function toggle() {
  const about = callId;
  if (about === null) return;
  const step = state === "running" ? "/pause" : "/resume";
  if (step === "/pause") {
    state = "pausing";
    draw();
  }
  const number = ++asked;
  for (let left = TRIES; left > 0 && about === callId; left -= 1) {
    try {
      const found = await send("POST", address(step), {}, { quiet: left > 1 });
      if (about === callId && number === asked && found) take(found); // unless the live connection knows better
      return;
    } catch (error) {
      // In a call's first moments it is not on record yet whose it is.
      if (![403, 404].includes(error.status)) break;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
  look();
}

function aim() {
  // The agent's page tells which call it is about, and how far that is.
  const [wanted, phase] = (document.body.dataset.pop || "").split(" ");
  const next = wanted && phase === "talking" ? wanted : null;
  if (next === callId) return;
  callId = next;
  state = "running";
  draw();
  look();
}

byId("recording-toggle").addEventListener("click", toggle);
document.addEventListener("keydown", (event) => {
  // Also while notes are typed: a customer does not wait with a number until the agent has left the field.
  if (event.key !== "F8" || event.repeat || event.ctrlKey || event.altKey || event.metaKey || callId === null) return;
  event.preventDefault();
  toggle();
});
new MutationObserver(aim).observe(document.body, { attributes: true, attributeFilter: ["data-pop"] });
aim();
draw();
