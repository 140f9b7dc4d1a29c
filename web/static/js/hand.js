// What an agent does with a call from the page: hold, ask somebody, three of them, send on, hang up. The same for
// a telephone in the page and one on the desk; what the buttons show is what the server says.
import { byId, el, fill, isTyping, pageData, setData, setText } from "./dom.js";
import { send, toast } from "./page.js";
import { t } from "./texts.js";

const SEARCH_MS = 150;
const TALKING = { state: "talking", steps: ["hold", "transfer", "consult", "hang-up"], target: null, target_label: "", notice: null };
const NOBODY = { state: "none", steps: [], target: null, target_label: "", notice: null };
const WITH_SOMEBODY = ["calling", "consulting", "swapped", "conference"];

const { labels } = pageData("page");
let callId = null;
let hand = NOBODY;
let busy = false;
let found = [];
let foundFor = null; // what was typed when these were found
let chosen = 0;
let asked = 0;

const address = (step) => `/api/v1/calls/${callId}/${step}`;
const may = (step) => !busy && hand.steps.includes(step);

/** Take what the server says of a call in hand; of one that is not on the page nothing is shown. */
export function takeHand(told) {
  if (!told || told.call_id !== callId) return;
  hand = told;
  draw();
}

function draw() {
  setData(byId("hand"), "state", hand.state);
  document.body.dataset.hand = hand.state;
  const some = WITH_SOMEBODY.includes(hand.state);
  const held = hand.state === "held";
  for (const name of ["hold", "send"]) byId(`hand-${name}`).hidden = some;
  for (const name of ["swap", "conference", "complete", "cancel"]) byId(`hand-${name}`).hidden = !some;
  byId("hand-hang-up").hidden = some;
  const hold = byId("hand-hold");
  hold.dataset.step = held ? "unhold" : "hold";
  hold.disabled = !may(hold.dataset.step);
  hold.setAttribute("aria-pressed", String(held));
  setText(byId("hand-hold-text"), held ? t("取回") : t("保持"));
  byId("hand-send").disabled = !may("transfer");
  for (const name of ["hang-up", "swap", "conference", "complete", "cancel"]) byId(`hand-${name}`).disabled = !may(name);
  const [tone, text] = about();
  setData(byId("hand-about"), "tone", tone);
  setText(byId("hand-about"), text);
  if (byId("hand-dialog").open && !hand.steps.includes("transfer")) byId("hand-dialog").close();
}

function about() {
  const who = hand.target_label || hand.target || "";
  switch (hand.state) {
    case "held": return hand.notice ? notice(who) : ["amber", t("客户在听音乐，按 H 取回")];
    case "phone_held": return ["amber", t("话机上按了保持，请在话机上取回")];
    case "calling": return ["amber", t("正在呼叫 %(who)s，客户在听音乐", { who })];
    case "consulting": return ["blue", t("正在和 %(who)s 说，客户在听音乐", { who })];
    case "swapped": return ["blue", t("正在和客户说，%(who)s 在等", { who })];
    case "conference": return ["blue", t("三方通话：客户、%(who)s 和您", { who })];
    case "asked": return ["blue", t("同事在问您，客户还是同事的")];
    case "left": return ["brick", t("客户已经挂机")];
    default: return hand.notice ? notice(who) : [null, ""];
  }
}

function notice() {
  const words = {
    no_answer: t("对方没有接，客户已经接回来"),
    busy: t("对方正忙，客户已经接回来"),
    rejected: t("对方没有接，客户已经接回来"),
    unreachable: t("对方的电话接不通，客户已经接回来"),
    hung_up: t("对方挂了，客户已经接回来"),
  };
  return ["brick", words[hand.notice] || ""];
}

/** Say in words for people why nothing was done. */
const refusals = {
  call_step_under_way: () => t("上一步还没有完成，请稍等"),
  call_step_not_possible: () => t("电话的状态已经变了，请再看一眼"),
  call_party_gone: () => t("有人已经挂机了"),
  call_step_not_done: () => t("电话系统没有及时完成，请再看一眼"),
  not_your_call: () => t("这通电话不在您手上"),
  no_such_call: () => t("这通电话已经结束"),
  target_unknown: () => t("没有找到要转的人或号码"),
  target_away: () => t("同事的电话没有连上，或者正忙"),
  outside_refused: () => t("这个外线号码不能从这里拨打"),
  outside_too_often: () => t("转外线太频繁了，请过一会儿再试"),
  telephony_away: () => t("电话系统暂时连不上，请稍后再试"),
};

async function take(step, body = {}) {
  if (callId === null || !may(step)) return false;
  const about = callId;
  busy = true;
  draw();
  try {
    const told = await post(address(step), { ...body, expected: hand.state });
    if (about === callId) hand = told;
    return true;
  } catch (error) {
    toast(refusals[error.code]?.() || error.message, "error");
    look();
    return false;
  } finally {
    busy = false;
    draw();
  }
}

/** What makes telephones ring carries a key of its own, so that nothing is done twice. */
async function post(url, body) {
  const key = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  return send("POST", url, body, { quiet: true, headers: { "Idempotency-Key": key } });
}

async function look() {
  const about = callId;
  if (about === null) return;
  try {
    const answer = await fetch(address("hand"), { headers: { Accept: "application/json" } });
    if (answer.ok && about === callId) takeHand(await answer.json());
  } catch { /* the banner of the live connection says that the server is away */ }
}

function aim() {
  const [wanted, phase] = (document.body.dataset.pop || "").split(" ");
  const next = wanted && phase === "talking" ? wanted : null;
  if (next === callId) return;
  callId = next;
  hand = next === null ? NOBODY : { ...TALKING, call_id: next };
  draw();
  look();
}

// Whom to

const dialog = byId("hand-dialog");
let timer = 0;
const search = byId("hand-search");

function openTargets() {
  if (!may("transfer") && !may("consult")) return;
  search.value = "";
  found = [];
  foundFor = null;
  drawTargets();
  dialog.showModal();
  search.focus();
  findTargets();
}

async function findTargets() {
  const mine = ++asked;
  const text = search.value.trim();
  clearTimeout(timer);
  try {
    const answer = await fetch(`/api/v1/transfer-targets?${new URLSearchParams({ q: text })}`, { headers: { Accept: "application/json" } });
    const { items } = answer.ok ? await answer.json() : { items: [] };
    if (mine !== asked) return;
    found = items;
    foundFor = text;
    chosen = Math.max(0, items.findIndex((one) => one.free));
    drawTargets();
  } catch {
    if (mine === asked) setText(byId("hand-none"), t("连不上服务器，请稍后再试。"));
  }
}

const kinds = { agent: () => t("同事"), queue: () => t("队列"), flow: () => t("语音流程"), outside: () => t("外线") };

function drawTargets() {
  fill(byId("hand-targets"), found.map((one, at) => el("li", { role: "option", id: `hand-target-${at}`, "aria-selected": String(at === chosen), on: { click: () => choose(at), dblclick: () => go("transfer") } },
    el("span", { class: "clip" }, el("b", {}, one.label), one.kind === "agent" ? el("span", { class: "muted num" }, ` ${one.value}`) : ""),
    el("span", { class: "muted small" }, detail(one)))));
  search.setAttribute("aria-activedescendant", found.length ? `hand-target-${chosen}` : "");
  setText(byId("hand-none"), found.length || !search.value.trim() ? "" : t("没有找到。可以输入姓名、工号、队列，或者完整的电话号码"));
  const one = found[chosen];
  byId("hand-go").disabled = !one || !one.free;
  byId("hand-ask").disabled = !one || !one.free || !["agent", "outside"].includes(one.kind);
}

function detail(one) {
  if (one.kind === "agent") return labels.states[one.state] || one.state;
  if (one.kind === "queue" && one.waiting !== null) return t("队列，%(count)s 位在等", { count: one.waiting });
  return kinds[one.kind]();
}

function choose(at) {
  if (at < 0 || at >= found.length) return;
  chosen = at;
  drawTargets();
  byId(`hand-target-${at}`).scrollIntoView({ block: "nearest" });
}

async function go(step) {
  // Who types fast and presses Enter means what they typed, not what stood there before.
  if (search.value.trim() !== foundFor) {
    await findTargets();
    if (search.value.trim() !== foundFor || !dialog.open) return;
  }
  const one = found[chosen];
  if (!one || byId(step === "consult" ? "hand-ask" : "hand-go").disabled) return;
  dialog.close();
  await take(step, { kind: one.kind, target: one.value });
}

search.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(findTargets, SEARCH_MS);
});
search.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
  } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    go(event.shiftKey ? "consult" : "transfer");
  }
});
byId("hand-go").addEventListener("click", () => go("transfer"));
byId("hand-ask").addEventListener("click", () => go("consult"));
byId("hand-send").addEventListener("click", openTargets);
for (const button of document.querySelectorAll("[data-step]")) button.addEventListener("click", () => take(button.dataset.step));

// A telephone in the page hangs up by itself, but not while somebody is being asked: that would give the call away.
document.getElementById("phone-hangup")?.addEventListener("click", (event) => {
  if (!["calling", "consulting"].includes(hand.state)) return;
  event.stopImmediatePropagation();
  take("cancel");
}, { capture: true });

const keys = {
  h: () => byId("hand-hold").hidden || take(byId("hand-hold").dataset.step),
  g: () => byId("hand-send").hidden || openTargets(),
  x: () => (document.getElementById("phone-hangup")?.hidden === false && !["calling", "consulting"].includes(hand.state) ? false : take(["calling", "consulting"].includes(hand.state) ? "cancel" : "hang-up")),
  s: () => take("swap"),
  w: () => take("conference"),
  e: () => take("complete"),
  q: () => take("cancel"),
};

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (callId === null || isTyping(event.target) || document.querySelector("dialog[open]") || !byId("keys-on").checked) return;
  const run = keys[event.key.toLowerCase()];
  if (!run || run() === false) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

new MutationObserver(aim).observe(document.body, { attributes: true, attributeFilter: ["data-pop"] });
aim();
draw();
