// The figures on a big screen. It hangs there for months: it reconnects by itself, begins the new day at the
// site's midnight, and loads itself anew then, so that it never runs yesterday's program.
import { alertText } from "./board_alerts.js";
import { clockTime, duration, everySecond, now, tickFrom } from "./clock.js";
import { byId, el, fill, pageData, setData, setText } from "./dom.js";
import { openLive } from "./live.js";
import { drawRows } from "./rows.js";
import { runningCampaigns } from "./running.js";
import { t } from "./texts.js";
import { trendChart } from "./trend.js";

const STALE_S = 5;
const HANDLING_STALE_S = 15;
const WAIT_LATE_S = 20;
const GOOD = 0.8;
const ROWS = 6; // as many queues as fit; more take turns
const CAMPAIGNS = 2; // likewise
const TURN_MS = 12_000;
const { labels } = pageData("page");
const none = "–";
const chart = trendChart(byId("trend"), null, { dark: true });
let board = null;
let liveStatus = "live";
let turn = 0;
const inTurn = (all, most) => {
  const begin = all.length > most ? (turn * most) % (Math.ceil(all.length / most) * most) : 0;
  return all.slice(begin, begin + most);
};
const campaigns = runningCampaigns({ linked: false, shown: (all) => inTurn(all, CAMPAIGNS) });

const percent = (part) => (part === null || part === undefined ? none : `${Math.round(part * 100)}%`);
const seconds = (value) => (value === null || value === undefined ? none : duration(value));
const first = (times) => times.filter(Boolean).sort((a, b) => Date.parse(a) - Date.parse(b))[0] || null;

function cells(queue) {
  return [
    { text: queue.label || labels.queues[queue.name] || queue.name },
    { text: queue.waiting, cls: queue.waiting ? "n late" : "n" },
    { since: queue.longest_since, late: WAIT_LATE_S, cls: "n" },
    { text: `${queue.available} / ${queue.signed_in}`, cls: "n" },
    { text: percent(queue.service_level), cls: queue.service_level === null ? "n" : queue.service_level < GOOD ? "n late" : "n good" },
    { text: queue.offered, cls: "n" },
    { text: queue.answered, cls: "n" },
    { text: queue.abandoned, cls: "n" },
    { text: queue.short_abandoned, cls: "n" },
    { text: seconds(queue.asa_seconds), cls: "n" },
    { text: seconds(queue.aht_seconds), cls: "n" },
    { text: percent(queue.occupancy), cls: "n" },
  ];
}

function draw(next) {
  if (board && next.day_from !== board.day_from) return newDay();
  board = next;
  const { queues, states, total } = board;
  const signedIn = Object.entries(states).reduce((sum, [state, count]) => sum + (state === "signed_out" ? 0 : count), 0);
  const waiting = queues.reduce((sum, queue) => sum + queue.waiting, 0);
  const longest = first(queues.map((queue) => queue.longest_since));
  const free = states.available || 0;
  setText(byId("t-waiting"), String(waiting));
  byId("t-waiting").classList.toggle("late", waiting > 0 && free === 0);
  tickFrom(byId("t-longest"), longest, WAIT_LATE_S);
  if (!longest) setText(byId("t-longest"), none);
  setText(byId("t-level"), percent(total.service_level));
  byId("t-level").classList.toggle("late", total.service_level !== null && total.service_level < GOOD);
  setText(byId("t-free"), `${free} / ${signedIn}`);
  setText(byId("t-calls"), String(board.calls));
  drawQueues();
  drawRows(byId("whole"), [{ ...total, label: t("全部"), waiting, longest_since: longest, available: free, signed_in: signedIn }], () => "whole", cells);
  drawAlerts();
  setText(byId("formula"), t("今日累计；服务水平 = %(formula)s，目标 %(goal)s", { formula: labels.formulas[board.formula] || board.formula, goal: "80/20" }));
  drawAge();
}

function drawQueues() {
  const room = ROWS - Math.min(CAMPAIGNS, campaigns.count());
  drawRows(byId("queues"), inTurn(board.queues, room), (queue) => queue.name, cells);
}

function takeCampaigns(told) {
  campaigns.take(told);
  if (board) drawQueues();
}

function drawAlerts() {
  const texts = board.alerts.slice(0, 4).map((alert) => alertText(alert, labels));
  const shown = [...byId("alerts").children].map((node) => node.textContent);
  if (texts.join("\n") !== shown.join("\n")) fill(byId("alerts"), texts.map((text) => el("b", {}, text)));
}

const ageSeconds = (asOf) => (asOf ? Math.max(0, (now() - Date.parse(asOf)) / 1000) : Infinity);

function drawAge() {
  setText(byId("clock"), clockTime(new Date(now()).toISOString()));
  if (!board) return;
  const age = ageSeconds(board.as_of);
  const stale = liveStatus !== "live" || board.stale || age > STALE_S;
  setData(byId("age"), "stale", stale ? "yes" : null);
  const told = age < 1.5 ? t("刚刚") : t("%(d)s 前", { d: duration(age) });
  setText(byId("age"), stale ? t("数据已过时：%(age)s", { age: told }) : t("更新于 %(age)s", { age: told }));
  byId("wall").classList.toggle("stale-figures", stale);
  byId("queues").parentElement.classList.toggle("old-handling", ageSeconds(board.handling_as_of) > HANDLING_STALE_S);
}

/** Load the page anew, once the server answers: until then what was is better than nothing. */
async function newDay() {
  try {
    const answer = await fetch("/wallboard/live/check", { cache: "no-store" });
    if (answer.ok) window.location.reload();
  } catch {
    // the next figures ask again
  }
}

/** Ask the screen to stay on, where it can be asked. */
async function stayAwake() {
  try {
    if (!document.hidden) await navigator.wakeLock?.request("screen");
  } catch {
    // then the screen's own settings decide
  }
}

const live = openLive({
  topics: ["wall", "trend", "running"],
  handlers: { wall: draw, trend: chart.draw, running: takeCampaigns },
  at: "/wallboard/live",
  signIn: "/wallboard",
  onStatus: (status) => {
    liveStatus = status;
    // Opened once too often by the same person: there is nobody here to press a button.
    if (status === "displaced") setTimeout(() => live.reconnect(), 30_000);
    drawAge();
  },
});
everySecond(drawAge);
everySecond(campaigns.age);
setInterval(() => { turn += 1; campaigns.draw(); if (board) drawQueues(); }, TURN_MS);
document.addEventListener("visibilitychange", stayAwake);
stayAwake();
