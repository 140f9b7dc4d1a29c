// The agent's page: live messages in, the agent's wishes out.
import { drawCall } from "./call_pane.js";
import { follow } from "./callback_runner.js";
import { tickFrom, timeOrDay } from "./clock.js";
import { drawCustomer, mustChoose } from "./customer_pane.js";
import { drawState } from "./desk_state.js";
import { byId, el, fill, isTyping, pageData, setText } from "./dom.js";
import { takeHand } from "./hand.js";
import { aimHeard, heardMore, pickHeard } from "./heard.js";
import { openLive } from "./live.js";
import { banner, send, toast } from "./page.js";
import { takeRecording } from "./recording_pause.js";
import { t } from "./texts.js";
import { lookTold } from "./told.js";
import { addWords, aimWords, drawWords } from "./words_pane.js";
import * as wrapUp from "./wrap_up.js";

const { labels } = pageData("page");
const desk = { state: null, pop: null, notice: null, unfinished: [], link: null, stale: false };
let older = null; // the unfinished wrap-up of an earlier call that the agent has opened

function draw() {
  drawState(desk, labels);
  drawCall(desk.pop, desk.notice, labels);
  drawCustomer(desk.pop, labels, { choose, calledAgain, newcomer: wrapUp.newcomer });
  drawUnfinished();
  document.body.dataset.pop = desk.pop ? `${desk.pop.call_id} ${desk.pop.phase}` : "";
}

function aimForm() {
  const { pop } = desk;
  if (pop && pop.wrap_up !== "done") {
    older = null;
    wrapUp.aim({ call_id: pop.call_id, queue: pop.queue, ringing: pop.phase === "ringing", open: pop.phase === "wrap_up", until: pop.wrap_up_until, seconds: pop.wrap_up_seconds, title: t("通话小结"), server: pop.draft });
  } else if (older && !pop) {
    wrapUp.aim({ call_id: older.call_id, queue: older.queue, open: true, until: null, title: t("补写 %(time)s 的小结", { time: timeOrDay(older.taken_at) }), server: older });
  } else {
    wrapUp.aim(null);
  }
}

function onPop(pop) {
  const before = desk.pop;
  desk.pop = pop;
  if (pop) desk.notice = null;
  if (pop?.call_id !== before?.call_id) window.scrollTo({ top: 0 });
  aimWords(pop?.call_id ?? null);
  aimHeard(pop);
  aimForm(); // before drawing: the newcomer form shows what the draft holds
  draw();
  follow(pop);
  const ended = pop?.phase === "wrap_up" && before?.phase === "talking" && before.call_id === pop.call_id;
  if (ended && !isTyping(document.activeElement)) wrapUp.focusForm();
}

function drawUnfinished() {
  const rows = desk.unfinished.filter((item) => item.call_id !== desk.pop?.call_id);
  byId("unfinished-card").hidden = rows.length === 0;
  fill(byId("unfinished"), rows.map((item) => el("li", { class: "line" },
    el("span", { class: "clip" }, el("b", { class: "num" }, timeOrDay(item.taken_at)), " ", el("span", { class: "muted small" }, item.notes || labels.dispositions[item.disposition] || "")),
    el("button", { class: "button compact", type: "button", disabled: Boolean(desk.pop), on: { click: () => { older = item; aimForm(); wrapUp.focusForm(); } } }, t("补写")))));
}

/** Say that somebody has waited for too long in one of the agent's queues; `null` for nobody. */
function drawWaiting(found) {
  byId("waiting").hidden = !found;
  setText(byId("waiting-count"), found ? t("%(count)s 位客户在排队，最久已等", { count: found.waiting }) : "");
  tickFrom(byId("waiting-since"), found?.since);
}

async function choose(customerId) {
  const { pop } = desk;
  if (!pop) return;
  onPop({ ...pop, chosen: customerId }); // shown at once; the server's own word follows
  await send("POST", "/agent/choice", { call_id: pop.call_id, customer_id: customerId }).catch(() => onPop({ ...desk.pop, chosen: pop.chosen }));
}

/** Say that this call is about an open case: it is counted there, and no new one is written. */
async function calledAgain(caseId) {
  const { pop } = desk;
  if (!pop) return;
  await send("POST", "/agent/repeat-calls", { call_id: pop.call_id, case_id: caseId });
}

const ask = (action, body) => send("POST", `/agent/${action}`, body).catch(() => {});

wrapUp.whenSaved((callId) => {
  desk.unfinished = desk.unfinished.filter((item) => item.call_id !== callId);
  if (older?.call_id === callId) older = null;
  if (desk.pop?.call_id === callId) desk.pop = { ...desk.pop, wrap_up: "done" };
  aimForm();
  draw();
});

document.getElementById("phone-choice")?.addEventListener("click", async (event) => {
  if (desk.pop && desk.pop.phase !== "wrap_up") return toast(t("通话结束以后再换"), "error");
  await send("POST", "/agent/phone/choice", { browser: event.currentTarget.dataset.browser === "yes" });
  location.reload(); // what is typed is kept as a draft
});
byId("sign-in").addEventListener("click", () => ask("sign-in"));
byId("sign-out").addEventListener("click", () => ask("sign-out"));
byId("resume").addEventListener("click", () => ask(desk.state?.next_state === "signed_out" ? "sign-in" : "resume"));
for (const button of document.querySelectorAll("[data-pause]")) {
  button.addEventListener("click", () => {
    byId("pause-menu").open = false;
    ask("pause", { reason: button.dataset.pause });
  });
}

// Keys

const help = byId("help");
byId("help-open").addEventListener("click", () => help.showModal());
const keysOn = byId("keys-on");
keysOn.checked = localStorage.getItem("hf.keys") !== "off";
keysOn.addEventListener("change", () => localStorage.setItem("hf.keys", keysOn.checked ? "on" : "off"));

const keys = {
  n: () => byId("wrap-fields").disabled || byId("notes").focus(),
  p: () => {
    const menu = byId("pause-menu");
    if (menu.hidden) return;
    menu.open = true;
    menu.querySelector("button").focus();
  },
  r: () => byId("resume").hidden || byId("resume").click(),
  t: () => byId("new-complaint").click(),
  b: () => byId("new-repair").click(),
  y: () => byId("new-voice").click(),
  "?": () => help.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    wrapUp.save();
    return;
  }
  const digit = /^Digit([1-9])$/.exec(event.code);
  if (digit && event.altKey && !event.ctrlKey && !event.metaKey && !help.open) {
    if (pickHeard(Number(digit[1]))) event.preventDefault();
    return;
  }
  if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
  if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target) || help.open || !keysOn.checked) return;
  if (/^[0-9]$/.test(event.key)) {
    if (pickByNumber(Number(event.key))) event.preventDefault();
    return;
  }
  const run = keys[event.key.toLowerCase()];
  if (run) {
    event.preventDefault();
    run();
  }
});

function pickByNumber(number) {
  if (!mustChoose(desk.pop)) return number > 0 && wrapUp.pick(number);
  if (number === 0) choose("");
  else if (desk.pop.customers[number - 1]) choose(desk.pop.customers[number - 1].customer_id);
  return true;
}

// The live connection

function drawBanner(status) {
  if (status === "displaced") {
    banner("note", t("这个页面在别的窗口打开了。"), { label: t("在这里继续"), run: () => live.reconnect() });
  } else if (status === "stale") banner("stale", t("与服务器的连接断了，画面可能已过时，正在重连…"));
  else if (desk.link && desk.link.state !== "live") banner("stale", t("与电话系统的连接断了，画面可能已过时，正在重连…"));
  else banner(null);
}

let liveStatus = "live";
const live = openLive({
  topics: ["agent", "waiting", "words", "recording", "list:suggestions", "list:agent-messages"],
  handlers: {
    waiting: drawWaiting,
    hand: takeHand,
    text_all: drawWords,
    text: addWords,
    recording: takeRecording,
    list: (told) => (told.name === "agent-messages" ? lookTold() : heardMore(told)),
    state: (state) => {
      desk.state = state;
      draw();
      if (state?.state === "paused" && state.reason === "tab_asleep") beat(); // awake again
    },
    pop: onPop,
    notice: (notice) => { desk.notice = notice; draw(); },
    unfinished: (items) => { desk.unfinished = items; draw(); },
    link: (link) => { desk.link = link; drawBanner(liveStatus); },
  },
  onStatus: (status) => {
    liveStatus = status;
    desk.stale = status !== "live";
    drawBanner(status);
    draw();
    if (status === "live") wrapUp.sendLeftOvers();
  },
});

// No caller may ring into a dead tab: the server hears from this page every ten seconds.
function beat() {
  if (desk.state && desk.state.state !== "signed_out") send("POST", "/agent/heartbeat", {}, { quiet: true }).catch(() => {});
}
new Worker(new URL("./heartbeat.js", import.meta.url)).onmessage = beat;
draw();
