// What a supervisor does from the board: listens to a call, directs an agent, sends messages.
import { byId, el, fill, pageData, setData, setText } from "./dom.js";
import { send, toast } from "./page.js";
import { t } from "./texts.js";

const { labels } = pageData("page");
const may = { listen: document.querySelector("[data-begin]") !== null, direct: document.getElementById("acts-queues") !== null };
const MODES = { listen: t("正在旁听"), whisper: t("正在耳语"), barge: t("三方通话中"), take_over: t("您在通话") };
let board = null;
let chosen = null; // the agent whose dialog is open
let seen = {}; // their queues as they were when it was opened
let able = []; // their skills, likewise
let ears = [];
let mine = null;

const agentOf = (id) => board?.agents.find((agent) => agent.agent_id === id);
const talks = (agent) => Boolean(agent?.call_id) && agent.state === "on_call";

/** Bring buttons and dialog in line with the board. */
export function drawActs(next) {
  board = next;
  if (!may.listen && !may.direct) return;
  for (const row of byId("agents").children) {
    const agent = agentOf(row.dataset.key);
    let cell = row.querySelector(".acts-cell");
    if (!cell) {
      cell = el("td", { class: "acts-cell" }, el("button", { class: "button compact", type: "button", on: { click: () => open(row.dataset.key) } }, t("管理")));
      row.append(cell);
    }
    const by = ears.filter((ear) => agent?.call_id && ear.call_id === agent.call_id).map((ear) => ear.by);
    cell.title = by.length ? t("%(who)s在听", { who: by.join(labels.list_comma) }) : "";
    cell.firstElementChild.setAttribute("aria-label", `${t("管理")} ${agent?.name ?? ""} ${agent?.number ?? ""}`);
  }
  drawDialog();
}

function drawDialog() {
  const agent = agentOf(chosen);
  if (!byId("acts").open || !agent) return;
  setText(byId("acts-name"), `${agent.name} ${agent.number}`);
  const reason = agent.reason ? ` · ${labels.pause_reasons[agent.reason] || agent.reason}` : "";
  setText(byId("acts-state"), (labels.states[agent.state] || agent.state) + reason);
  const free = talks(agent) && !mine;
  for (const button of document.querySelectorAll("[data-begin]")) button.disabled = !free;
  const note = document.getElementById("acts-call");
  if (note) setText(note, mine ? t("先离开正在听的通话") : free ? t("您的电话会先响") : t("现在没有通话"));
  for (const button of document.querySelectorAll("[data-force]")) button.disabled = agent.state === "signed_out";
}

async function open(agentId) {
  chosen = agentId;
  byId("acts").showModal();
  drawDialog();
  if (!may.direct) return;
  const answer = await fetch("/api/v1/agents", { headers: { Accept: "application/json" } });
  const found = answer.ok ? (await answer.json()).items.find((item) => item.agent_id === agentId) : null;
  if (!found || chosen !== agentId) return;
  seen = Object.fromEntries(found.queues.map((item) => [item.queue, item.penalty]));
  for (const box of byId("acts-queues").querySelectorAll("[type=checkbox]")) {
    box.checked = box.name in seen;
    byId("acts-queues").querySelector(`[data-penalty="${box.name}"]`).value = seen[box.name] ?? 0;
  }
  openSkills(agentId, found.number);
}

async function openSkills(agentId, number) {
  const answer = await fetch("/api/v1/skills", { headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok || chosen !== agentId) return;
  const people = (await answer.json()).items;
  const person = people.find((item) => item.agent_no === number);
  const form = byId("acts-skills");
  for (const item of form.querySelectorAll("input, button")) item.disabled = !person;
  setText(byId("acts-skills-note"), person ? t("来电分配按技能选人时，下一通电话就按这里。") : t("“人员”里还没有这个工号，先登记再写技能。"));
  able = person?.skills ?? [];
  byId("acts-skill-new").value = "";
  const known = [...new Set(people.flatMap((item) => item.skills))].sort();
  fill(byId("acts-skills-list"), person ? known.map((skill) => el("label", {}, el("input", { type: "checkbox", name: "skill", value: skill, checked: able.includes(skill) }), ` ${skill}`)) : []);
}

/** Ask for something; what the server refuses is told, and what was done, too. */
async function ask(method, url, body, done = "") {
  try {
    const answer = await send(method, url, body);
    if (done) toast(done);
    return answer;
  } catch {
    return null; // told already
  }
}

// Listening

/** Read who listens, after the server said that it changed. */
export async function lookEars() {
  if (!may.listen) return;
  const answer = await fetch("/api/v1/listenings", { headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) return;
  ears = (await answer.json()).items;
  mine = ears.find((ear) => ear.mine) || null;
  drawEar();
  if (board) drawActs(board);
}

function drawEar() {
  setData(byId("ear"), "shown", mine ? "yes" : "no");
  if (!mine) return;
  const agent = board?.agents.find((item) => item.number === mine.agent_number);
  const who = [agent?.name, mine.agent_number].filter(Boolean).join(" ");
  const what = !mine.answered_at ? t("请接起您的电话") : mine.now ? MODES[mine.now] : t("现在没有声音，稍后自动继续");
  setText(byId("ear-what"), `${who} · ${what}`);
  for (const button of byId("ear").querySelectorAll("[data-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mine.now));
    button.disabled = !mine.answered_at || mine.now === "take_over" || !mine.wanted;
  }
}

for (const button of document.querySelectorAll("[data-begin]")) {
  button.addEventListener("click", async () => {
    const agent = agentOf(chosen);
    if (!talks(agent)) return;
    if (await ask("POST", `/api/v1/calls/${agent.call_id}/listenings`, { mode: button.dataset.begin })) byId("acts").close();
    lookEars();
  });
}
for (const button of byId("ear").querySelectorAll("[data-mode]")) {
  button.addEventListener("click", async () => {
    if (mine) await ask("POST", `/api/v1/listenings/${mine.listening_id}/mode`, { mode: button.dataset.mode });
    lookEars();
  });
}
byId("ear-leave").addEventListener("click", async () => {
  if (mine) await ask("POST", `/api/v1/listenings/${mine.listening_id}/end`);
  lookEars();
});

// Directing

for (const button of document.querySelectorAll("[data-force]")) {
  button.addEventListener("click", () => {
    const agent = agentOf(chosen);
    const state = button.dataset.force;
    const reason = state === "paused" ? byId("acts-reason").value : "";
    if (agent) ask("POST", `/api/v1/agents/${agent.agent_id}/state`, { state, reason, seen: agent.state === "reserved" ? "available" : agent.state }, t("已通知 %(name)s 的页面", { name: agent.name }));
  });
}
document.getElementById("acts-queues")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const queues = {};
  for (const box of form.querySelectorAll("[type=checkbox]:checked")) queues[box.name] = Number(form.querySelector(`[data-penalty="${box.name}"]`).value) || 0;
  const answer = await ask("PUT", `/api/v1/agents/${chosen}/queues`, { queues, before: seen }, t("队列已保存，马上生效"));
  if (answer) seen = queues;
});

document.getElementById("acts-skills")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fresh = byId("acts-skill-new").value.trim();
  const skills = [...event.currentTarget.querySelectorAll("[name=skill]:checked")].map((box) => box.value);
  if (fresh && !skills.includes(fresh)) skills.push(fresh);
  const agent = agentOf(chosen);
  const answer = await ask("PUT", `/api/v1/agents/${chosen}/skills`, { skills, before: able }, t("技能已保存，下一通电话就按新的分配"));
  if (answer && agent) openSkills(chosen, agent.number);
});

// Messages and limits of pauses

for (const form of document.querySelectorAll("[data-tell]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const box = form.querySelector("textarea");
    const body = { text: box.value, ...(form.dataset.tell === "all" ? {} : { agent_id: chosen }) };
    if (await ask("POST", "/api/v1/agent-messages", body, t("已发送"))) box.value = "";
    lookTold();
  });
}

/** Read what was sent, with who has read it. */
export async function lookTold() {
  const list = document.getElementById("told-list");
  if (!list || !byId("tell-all").open) return;
  const answer = await fetch("/api/v1/agent-messages", { headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) return;
  fill(list, (await answer.json()).items.slice(0, 5).map((item) => el("li", { class: "line" },
    el("span", { class: "clip grow", title: item.text }, item.text),
    el("span", { class: "muted small" }, t("已读 %(n)s / %(all)s", { n: item.receipts.filter((one) => one.confirmed_at).length, all: item.receipts.length })))));
}

document.getElementById("tell-open")?.addEventListener("click", () => {
  byId("tell-all").showModal();
  lookTold();
});
for (const form of document.querySelectorAll("[data-limit]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const minutes = Number(form.elements.minutes.value);
    const limit = minutes > 0 ? minutes * 60 : null;
    const answer = await ask("PUT", `/api/v1/pause-reasons/${form.dataset.limit}`, { limit_seconds: limit, ends_itself: limit !== null && form.elements.ends.checked }, t("已保存"));
    if (answer) for (const item of answer.items) labels.pause_limits[item.code] = item.limit_seconds;
  });
}
