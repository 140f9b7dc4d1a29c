// The left pane: who calls, from where, how long.
import { duration, tickFrom } from "./clock.js";
import { byId, setData, setText } from "./dom.js";
import { t } from "./texts.js";

const WAIT_LATE_S = 20;
const HOLD_LATE_S = 60; // never more than a minute on hold without coming back

const phases = {
  ringing: () => t("来电，请接听"),
  talking: () => t("正在通话"),
  wrap_up: () => t("通话已结束"),
};

const missed = {
  no_answer: () => t("刚才的来电没有接听"),
  rejected: () => t("刚才的来电被拒接"),
  busy: () => t("刚才的来电遇到话机忙"),
  abandoned: () => t("刚才的来电，对方已挂断"),
};

/** Draw the call of `pop`, or with `null` the last ring that came to nothing (`notice`). */
export function drawCall(pop, notice, labels) {
  setData(byId("call"), "phase", pop ? pop.phase : "none");
  setText(byId("call-phase"), pop ? phaseText(pop) : notice ? missed[notice.reason]?.() || "" : t("没有通话"));
  const shown = pop || notice;
  setText(byId("call-number"), shown ? shown.number || t("号码未知") : "");
  setText(byId("call-name"), pop && pop.direction !== "out" ? pop.caller_name : ""); // of a call of ours it is our own
  const queue = byId("call-queue");
  queue.hidden = !shown?.queue;
  setText(queue, shown?.queue ? labels.queues[shown.queue] || shown.queue : "");
  setText(byId("call-path"), pop ? pop.menu_path.join(" › ") : "");
  drawGreeting(pop);
  drawWait(pop);
  drawTalk(pop);
  drawHold(pop);
  drawForms(pop);
}

/** Show what to say first, from the ring to the end of the call. */
function drawGreeting(pop) {
  const greeting = document.getElementById("call-greeting");
  const shown = pop && pop.direction === "in" && ["ringing", "talking"].includes(pop.phase);
  if (greeting) setData(greeting, "shown", shown ? "yes" : "no");
}

/** Have the links to the forms of cases carry the call, and the customer once it is known who that is. */
function drawForms(pop) {
  const known = new URLSearchParams();
  if (pop && pop.direction !== "internal") {
    known.set("call", pop.call_id);
    // Who is none of the customers on the number must not get one by the number again.
    if (pop.chosen !== null) known.set("customer", pop.chosen || "-");
    else if (pop.lookup === "unknown") known.set("customer", "-");
    const projects = pop.customers.find((customer) => customer.customer_id === pop.chosen)?.projects || [];
    if (projects.length === 1) known.set("project", projects[0].project_id);
  }
  for (const kind of ["complaint", "repair"]) {
    const link = byId(`new-${kind}`);
    const address = `/cases/new?${new URLSearchParams([["kind", kind], ...known])}`;
    if (link.getAttribute("href") !== address) link.setAttribute("href", address);
  }
  byId("new-voice").href = `/lists/voices?${new URLSearchParams([["new", ""], ...known])}`;
}

function phaseText(pop) {
  if (pop.direction === "out" && pop.phase === "ringing") return t("正在呼出");
  if (pop.direction === "internal" && pop.phase === "ringing") return t("内部来电，请接听");
  return phases[pop.phase]();
}

function drawWait(pop) {
  const wait = byId("call-wait");
  if (pop?.phase === "ringing") {
    tickFrom(wait, pop.queued_at || pop.ringing_at, WAIT_LATE_S);
    return;
  }
  tickFrom(wait, null);
  setText(wait, pop && pop.wait_seconds !== null ? duration(pop.wait_seconds) : "–");
}

function drawHold(pop) {
  const held = pop?.phase === "talking" && pop.held_since ? pop.held_since : null;
  byId("call-held").hidden = !held;
  tickFrom(byId("call-hold"), held, HOLD_LATE_S);
}

function drawTalk(pop) {
  const talk = byId("call-talk");
  if (pop?.phase === "talking" && pop.answered_at) {
    tickFrom(talk, pop.answered_at);
    return;
  }
  tickFrom(talk, null);
  setText(talk, pop?.phase === "wrap_up" && pop.talk_seconds !== null ? duration(pop.talk_seconds) : "–");
}
