// The supervisor's board: what the server pushes, with the age of every figure.
import { alerts } from "./board_alerts.js";
import { duration, everySecond, now, tickFrom } from "./clock.js";
import { byId, pageData, setData, setText } from "./dom.js";
import { onPauses, pauseCell, takePauses } from "./call_pauses.js";
import { openLive } from "./live.js";
import { banner } from "./page.js";
import { drawRows } from "./rows.js";
import { runningCampaigns } from "./running.js";
import { drawActs, lookEars, lookTold } from "./supervise.js";
import { t } from "./texts.js";
import { trendChart } from "./trend.js";

const STALE_S = 5;
const HANDLING_STALE_S = 15; // the agents' time is read every few seconds
const WAIT_LATE_S = 20;
const { labels, may_pause, may_see_campaigns } = pageData("page");
const campaigns = runningCampaigns({ linked: may_see_campaigns });
let board = null;
let liveStatus = "live";

const none = "–";
const percent = (part) => (part === null || part === undefined ? none : `${Math.round(part * 100)}%`);
const seconds = (value) => (value === null || value === undefined ? none : duration(value));
const drawAlerts = alerts(byId("alerts"), labels);
const chart = trendChart(byId("trend"), byId("trend-note"));

function draw(next) {
  board = next;
  drawTiles();
  drawRows(byId("queues"), board.queues, (queue) => queue.name, queueCells);
  drawAlerts(board.alerts, board.alert_sound);
  drawRows(byId("whole"), [whole()], () => "whole", queueCells);
  drawRows(byId("agents"), board.agents, (agent) => agent.agent_id, agentCells);
  drawActs(board);
  drawRows(byId("calls"), board.calls, (call) => call.call_id, callCells);
  byId("calls-empty").hidden = board.calls.length > 0;
  setText(byId("formula"), t("今日累计；服务水平 = %(formula)s，目标 %(goal)s", { formula: labels.formulas[board.formula] || board.formula, goal: "80/20" }));
  const signedIn = board.agents.filter((agent) => agent.state !== "signed_out").length;
  setText(byId("agents-count"), t("签入 %(n)s / 共 %(all)s", { n: signedIn, all: board.agents.length }));
  drawAge();
}

function drawTiles() {
  const { queues, agents, calls } = board;
  const waiting = queues.reduce((sum, queue) => sum + queue.waiting, 0);
  const longest = queues.filter((queue) => queue.longest_since).sort((a, b) => Date.parse(a.longest_since) - Date.parse(b.longest_since))[0];
  setText(byId("t-waiting"), String(waiting));
  setText(byId("t-waiting-note"), queues.filter((queue) => queue.waiting).map((queue) => `${queueName(queue.name)} ${queue.waiting}`).join(" · "));
  tickFrom(byId("t-longest"), longest?.longest_since || null, WAIT_LATE_S);
  if (!longest) setText(byId("t-longest"), none);
  setText(byId("t-longest-note"), longest ? queueName(longest.name) : t("没有人在等"));
  setText(byId("t-level"), percent(board.total.service_level));
  setText(byId("t-level-note"), t("%(good)s / %(all)s 通", { good: board.total.within, all: board.total.counted }));
  setText(byId("t-free"), String(agents.filter((agent) => agent.state === "available").length));
  setText(byId("t-free-note"), t("通话 %(talk)s · 整理 %(wrap)s · 小休 %(pause)s", {
    talk: agents.filter((agent) => agent.state === "on_call").length,
    wrap: agents.filter((agent) => agent.state === "wrap_up").length,
    pause: agents.filter((agent) => agent.state === "paused").length,
  }));
  setText(byId("t-calls"), String(calls.length));
  setText(byId("t-calls-note"), t("语音导航 %(menu)s · 排队 %(queued)s · 通话 %(talking)s", {
    menu: calls.filter((call) => call.state === "menu" || call.state === "offered").length,
    queued: calls.filter((call) => call.state === "queued" || call.state === "ringing").length,
    talking: calls.filter((call) => call.state === "talking" || call.state === "held").length,
  }));
}

const agentName = (number) => [board.agents.find((agent) => agent.number === number)?.name, number].filter(Boolean).join(" ");
const queueName = (name) => (name ? labels.queues[name] || name : none);

/** The centre as the last row: its sums, and who waits longest of all. */
function whole() {
  const { queues, agents, total } = board;
  const longest = queues.map((queue) => queue.longest_since).filter(Boolean).sort((a, b) => Date.parse(a) - Date.parse(b))[0];
  return {
    ...total,
    label: t("全部"),
    waiting: queues.reduce((sum, queue) => sum + queue.waiting, 0),
    longest_since: longest || null,
    available: agents.filter((agent) => agent.state === "available").length,
    signed_in: agents.filter((agent) => agent.state !== "signed_out").length,
  };
}

function queueCells(queue) {
  return [
    { text: queue.label || queueName(queue.name), cls: "tight" },
    { text: queue.waiting, cls: queue.waiting ? "n late" : "n" },
    { since: queue.longest_since, late: WAIT_LATE_S, cls: "n" },
    { text: `${queue.available} / ${queue.signed_in}`, cls: "n" },
    { text: percent(queue.service_level), cls: "n", title: t("%(good)s / %(all)s 通", { good: queue.within, all: queue.counted }) },
    { text: queue.offered, cls: "n" },
    { text: queue.answered, cls: "n" },
    { text: queue.abandoned, cls: "n" },
    { text: queue.short_abandoned, cls: "n" },
    { text: seconds(queue.asa_seconds), cls: "n" },
    { text: seconds(queue.aht_seconds), cls: "n", title: t("%(n)s 通处理完", { n: queue.handled }) },
    { text: percent(queue.occupancy), cls: "n" },
    { text: ageText(queue.as_of || board.as_of), cls: "n muted" },
  ];
}

function agentCells(agent) {
  const reason = agent.reason ? ` · ${labels.pause_reasons[agent.reason] || agent.reason}` : "";
  const phone = agent.phone_gone && agent.state !== "signed_out" ? ` · ${t("话机未注册")}` : "";
  return [
    { text: `${agent.name} ${agent.number}`, cls: "tight" },
    { text: (labels.states[agent.state] || agent.state) + reason + phone, dot: agent.state, cls: "tight" },
    { since: agent.state === "signed_out" ? null : agent.since, late: agent.state === "paused" ? labels.pause_limits[agent.reason] ?? null : null, cls: "n" },
    agent.call_id ? { text: t("查看"), href: `/calls/${agent.call_id}`, cls: "tight" } : { text: "" },
    { text: agent.queues.map(queueName).join(labels.list_comma), cls: "small muted names" },
  ];
}

const tones = { menu: "violet", offered: "violet", queued: "amber", ringing: "amber", talking: "blue", held: "brick" };

function callCells(call) {
  return [
    { text: call.number === "anonymous" ? t("号码未知") : call.number, href: `/calls/${call.call_id}`, cls: "tight num", title: call.menu_path.join(" › ") },
    { text: labels.call_states[call.state] || call.state, tone: tones[call.state] || "blue", cls: "tight" },
    { text: queueName(call.queue), cls: "tight" },
    { text: agentName(call.agent), cls: "tight" },
    { since: call.since, cls: "n" },
    pauseCell(call, may_pause),
  ];
}

onPauses(() => board && drawRows(byId("calls"), board.calls, (call) => call.call_id, callCells));

// Age

const ageSeconds = (asOf) => (asOf ? Math.max(0, (now() - Date.parse(asOf)) / 1000) : Infinity);

function ageText(asOf) {
  const age = ageSeconds(asOf);
  if (age === Infinity) return t("无数据");
  if (age < 1.5) return t("刚刚");
  return age < 60 ? t("%(s)s 秒前", { s: Math.floor(age) }) : t("%(d)s 前", { d: duration(age) });
}

function drawAge() {
  const box = byId("age");
  const asOf = board?.as_of || null;
  const stale = !board || liveStatus !== "live" || board.stale || ageSeconds(asOf) > STALE_S;
  setData(box, "stale", board && stale ? "yes" : null);
  if (board) setText(box, stale ? t("数据已过时：%(age)s", { age: ageText(asOf) }) : t("更新于 %(age)s", { age: ageText(asOf) }));
  byId("board").classList.toggle("stale-figures", Boolean(board) && stale);
  if (!board) return;
  [...byId("queues").children].forEach((row, index) => setText(row.lastElementChild, ageText(board.queues[index]?.as_of || asOf)));
  for (const row of byId("whole").children) setText(row.lastElementChild, ageText(asOf));
  const handling = ageSeconds(board.handling_as_of);
  byId("queues").parentElement.classList.toggle("old-handling", handling > HANDLING_STALE_S);
  setText(byId("handling-age"), t("平均处理 = 通话 + 保持 + 整理；忙碌率 = 通话和整理的时间 ÷（这些时间 + 空闲、振铃）；更新于 %(age)s", { age: ageText(board.handling_as_of) }));
  if (liveStatus === "displaced") return;
  if (liveStatus === "stale") banner("stale", t("与服务器的连接断了，画面可能已过时，正在重连…"));
  else if (board.stale) banner("stale", t("与电话系统的连接断了，画面可能已过时，正在重连…"));
  else banner(null);
}

const live = openLive({
  topics: ["board", "list:listenings", "list:agent-messages", "pauses", "trend", "running"],
  handlers: { board: draw, list: ({ name }) => (name === "listenings" ? lookEars() : lookTold()), pauses: takePauses, trend: chart.draw, running: campaigns.take },
  onStatus: (status) => {
    liveStatus = status;
    if (status === "displaced") banner("note", t("这个页面在别的窗口打开了。"), { label: t("在这里继续"), run: () => live.reconnect() });
    drawAge();
  },
});
everySecond(drawAge);
everySecond(campaigns.age);
