// The wrap-up form. What is typed is kept twice, in this browser at once and on the server a moment later,
// until the server has said that the disposition is saved.
import { clockTime, everySecond, now } from "./clock.js";
import { byId, setData, setText } from "./dom.js";
import { send, toast } from "./page.js";
import { t } from "./texts.js";

const SYNC_MS = 700;
const RETRY_MS = 5_000;
const PREFIX = "hf.draft.";

const form = byId("wrap-up");
const fields = byId("wrap-fields");
const notes = byId("notes");
const followUp = byId("follow-up"); // when to call back; there for dispositions that say nothing without it
const choices = [...byId("dispositions").querySelectorAll("label:has([name=disposition]), .group")];
const radios = () => [...form.querySelectorAll("[name=disposition]:not([disabled])")];

let target = null; // what the form writes about, see aim()
let draft = empty();
let syncTimer = 0;
let leftTimer = 0;
let saving = false;
let onSaved = () => {};

function empty() {
  return { disposition: "", notes: "", follow_up: "", newcomer: {}, edited_at: 0, synced: true };
}

/** Called after a save with the call's id. */
export const whenSaved = (handler) => { onSaved = handler; };

/**
 * Let the form write about a call; `null` closes it.
 * @param next {call_id, queue, ringing, open, until, seconds, title, server: {disposition, notes}}; while it rings
 *   only the newcomer form may be filled in, and stays in this browser: the server keeps drafts of taken calls
 */
export function aim(next) {
  if (next?.call_id !== target?.call_id) {
    flush();
    draft = next ? load(next) : empty();
    offer(next?.queue || "");
    show();
  } else if (next && next.queue !== target.queue) {
    offer(next.queue || "");
    show();
  }
  target = next;
  if (next && !next.ringing && !draft.synced) planSync();
  fields.disabled = !next || Boolean(next.ringing);
  byId("wrap-save").disabled = saving || !next?.open;
  setData(form, "open", next?.open ? "yes" : "no");
  setText(byId("wrap-title"), next?.title || t("通话小结"));
  tick();
}

/** Show what may be picked for a call of a queue, the first nine with their keys. */
function offer(queue) {
  let place = 0;
  for (const choice of choices) {
    const fits = !("queues" in choice.dataset) || choice.dataset.queues.split(" ").includes(queue);
    choice.hidden = !fits;
    const radio = choice.querySelector("input");
    if (!radio) continue;
    radio.disabled = !fits;
    if (fits) place += 1;
    const key = choice.querySelector("kbd");
    key.hidden = place > 9;
    setText(key, fits ? String(place) : "");
  }
}

function load(next) {
  const kept = readLocal(next.call_id);
  // What never reached the server wins; after that the server's copy does, if it was written elsewhere.
  const same = (next.server?.notes || "").includes(kept?.notes || "");
  if (kept && (!kept.synced || !next.server || same)) return { ...empty(), ...kept };
  return { ...empty(), disposition: next.server?.disposition || "", notes: next.server?.notes || "" };
}

function show() {
  for (const radio of radios()) radio.checked = radio.value === draft.disposition;
  notes.value = draft.notes;
  followUp.value = draft.follow_up;
  drawFollowUp();
  setText(byId("draft-state"), "");
}

const needs = (what) => radios().some((radio) => radio.checked && radio.dataset.needs.split(" ").includes(what));
const needsTime = () => needs("follow_up");
const drawFollowUp = () => setData(byId("follow-up-box"), "shown", needsTime() ? "yes" : "no");

/** What the agent wrote about a caller nobody knows; part of the draft. */
export const newcomer = {
  read: () => draft.newcomer,
  write(name, value) {
    draft.newcomer = { ...draft.newcomer, [name]: value };
    changed();
  },
};

/** Pick a disposition by its place, from 1. Returns whether there was one. */
export function pick(place) {
  const radio = radios()[place - 1];
  if (!radio || fields.disabled) return false;
  radio.checked = true;
  radio.focus();
  radio.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

/** Put the cursor where the agent writes next. */
export function focusForm() {
  const chosen = radios().find((radio) => radio.checked);
  (chosen ? notes : radios()[0] || notes).focus({ preventScroll: false });
}

function changed() {
  if (!target) return;
  draft.disposition = radios().find((radio) => radio.checked)?.value || "";
  draft.notes = notes.value;
  draft.follow_up = followUp.value;
  drawFollowUp();
  draft.edited_at = now();
  draft.synced = false;
  writeLocal(target.call_id, draft);
  planSync();
}

function planSync() {
  clearTimeout(syncTimer);
  syncTimer = setTimeout(sync, SYNC_MS);
}

async function sync() {
  clearTimeout(syncTimer);
  if (!target || target.ringing || draft.synced || saving) return;
  const [callId, sent] = [target.call_id, draft];
  const stamp = sent.edited_at;
  try {
    await send("PUT", `/agent/drafts/${callId}`, body(sent), { quiet: true });
  } catch (error) {
    if (target?.call_id !== callId) return;
    setText(byId("draft-state"), t("草稿已存在本机，稍后同步"));
    if (!(error.status >= 400 && error.status < 500)) syncTimer = setTimeout(sync, RETRY_MS);
    return;
  }
  if (sent.edited_at === stamp) sent.synced = true;
  if (readLocal(callId)) writeLocal(callId, sent);
  if (target?.call_id === callId) setText(byId("draft-state"), t("草稿已保存 %(time)s", { time: clockTime(new Date(now()).toISOString()) }));
}

/** Send what is not on the server yet, also while the page goes away. */
export function flush() {
  clearTimeout(syncTimer);
  if (!target || target.ringing || draft.synced || saving) return;
  // What does not arrive is a left-over: this browser keeps it until the server has it.
  send("PUT", `/agent/drafts/${target.call_id}`, body(draft), { quiet: true, keepalive: true }).catch(laterLeftOvers);
}

const body = (kept) => ({ disposition: kept.disposition || null, notes: kept.notes, follow_up: kept.follow_up || null, newcomer: kept.newcomer });

/** Save the disposition. */
export async function save() {
  if (!target || saving) return;
  if (!target.open) {
    toast(t("通话结束后再保存；现在写的内容已作为草稿保留。"));
    return;
  }
  if (!draft.disposition) {
    toast(t("请先选择处理结果。"), "error");
    radios()[0]?.focus();
    return;
  }
  if (needsTime() && (!draft.follow_up || Date.parse(draft.follow_up) <= now())) {
    toast(t("请填约定回电的时间，要晚于现在。"), "error");
    followUp.focus();
    return;
  }
  if (needs("notes") && !draft.notes.trim()) {
    toast(t("选了这一项，请写一句备注。"), "error");
    notes.focus();
    return;
  }
  const callId = target.call_id;
  saving = true;
  byId("wrap-save").disabled = true;
  clearTimeout(syncTimer);
  try {
    await send("POST", `/agent/wrap-ups/${callId}`, body(draft));
    removeLocal(callId);
    draft = empty();
    show();
    toast(t("小结已保存。"));
    target = null;
    onSaved(callId);
  } catch {
    byId("wrap-save").disabled = false; // the message is on the screen, the draft is kept
  } finally {
    saving = false;
  }
}

function tick() {
  const left = byId("wrap-left");
  const bar = byId("wrap-bar");
  const until = target?.open && target.until ? Date.parse(target.until) : 0;
  if (!until) {
    setText(left, "");
    setData(left, "short", null);
    bar.style.transform = "scaleX(0)";
    return;
  }
  const seconds = Math.max(0, (until - now()) / 1000);
  setText(left, seconds > 0 ? t("剩余 %(s)s 秒", { s: Math.ceil(seconds) }) : t("时间到，仍可保存"));
  setData(left, "short", seconds <= 10 ? "yes" : null);
  bar.style.transform = `scaleX(${Math.min(1, seconds / (target.seconds || 60)).toFixed(3)})`;
}

offer("");
everySecond(tick);
form.addEventListener("input", changed);
form.addEventListener("change", changed);
form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
document.addEventListener("visibilitychange", () => document.hidden && flush());
window.addEventListener("pagehide", flush);
window.addEventListener("online", () => { sync(); sendLeftOvers(); });

// Storage may be full or forbidden; then the server's copy is the only one.
function readLocal(callId) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + callId));
  } catch {
    return null;
  }
}
function writeLocal(callId, kept) {
  try {
    localStorage.setItem(PREFIX + callId, JSON.stringify(kept));
  } catch {
    setText(byId("draft-state"), "");
  }
}
function removeLocal(callId) {
  try {
    localStorage.removeItem(PREFIX + callId);
  } catch {
    // nothing was kept there
  }
}

function laterLeftOvers() {
  clearTimeout(leftTimer);
  leftTimer = setTimeout(sendLeftOvers, RETRY_MS);
}

/** Send drafts that an earlier page or call left unsent, again until they arrive, and forget those that are old. */
export async function sendLeftOvers() {
  clearTimeout(leftTimer);
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  for (const key of keys) {
    const callId = key.slice(PREFIX.length);
    const kept = readLocal(callId);
    if (!kept || now() - kept.edited_at > 7 * 24 * 3600 * 1000) removeLocal(callId);
    else if (!kept.synced && callId !== target?.call_id) {
      try {
        await send("PUT", `/agent/drafts/${callId}`, body(kept), { quiet: true });
        writeLocal(callId, { ...kept, synced: true });
      } catch (error) {
        const refused = error.status >= 400 && error.status < 500 && ![408, 429].includes(error.status);
        if (refused) removeLocal(callId); // a call the agent never took
        else return laterLeftOvers();
      }
    }
  }
}
