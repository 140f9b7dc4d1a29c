// The questionnaire beside a call: each answer is sent by itself, again and again until the server has it. What is
// typed stays in the page, and in this browser, until then; what one user left is never sent by another.
import { byId, isTyping, setText } from "./dom.js";
import { pageOf } from "./own_page.js";
import { t } from "./texts.js";

const TYPED_MS = 700;
const AGAIN_MS = 3000;
const SOON_MS = 1500;
const SIGNED_OUT_MS = 15_000;
const USER = document.body.dataset.user || "";
const KEEP = `hf.answers.${USER}.`;

const place = () => byId("questionnaire");
const runner = () => document.getElementById("runner");
const itemOf = (node) => node.closest?.("fieldset[data-item]");

// Asked again, these may be taken; whatever else is refused would be refused for ever.
const ASK_AGAIN = new Set([401, 403, 408, 409, 429]);
const FOR_EVER = new Set(["talk_over", "not_your_talk", "illegal_step", "no_such_answer", "complaint_not_accepted"]);

/** Ask for a part of the page; `null` where there is none. Throws `{ final, held, refused, problem }`. */
async function fetchPart(method, url, body) {
  let answer;
  try {
    answer = await fetch(url, {
      method,
      headers: { "X-Page-User": USER, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
  } catch {
    throw { final: false, problem: t("连不上服务器，正在重试…") };
  }
  if (answer.status === 204) return null;
  if (answer.redirected || answer.status === 401) {
    throw { final: false, held: true, refused: true, problem: t("登录已过期，回答已留在这台电脑上。请在新标签页重新登录，回到这里会自动补发。") };
  }
  if (!answer.ok) {
    const { code } = await answer.json().catch(() => ({}));
    const { status } = answer;
    const final = FOR_EVER.has(code) || (status < 500 && !ASK_AGAIN.has(status));
    const held = !final && status === 403;
    let problem = t("没有保存成功，请检查后再试。");
    if (held) problem = t("服务器现在不让保存，回答已留在这台电脑上。请刷新页面或重新登录，会自动补发。");
    else if (!final) problem = t("暂时没有保存到服务器，回答已留在这台电脑上，正在重试…");
    throw { final, held, refused: status < 500 && status !== 429, problem: problems[code] || problem };
  }
  return (await pageOf(answer)).getElementById("runner");
}

const problems = {
  not_your_talk: t("这次回访由别人进行，这里只能看。"),
  talk_over: t("这次回访已经结束。"),
  no_such_answer: t("这个问题现在不问了。"),
  complaint_not_accepted: t("客户还有投诉没有受理，请先受理。"),
  next_not_now: t("这次回访还没有完成，先不设下次回访。"),
  illegal_step: t("现在不能这样结束，请看最新状态。"),
  invalid: t("请检查填写的内容；改期和下次回访要选将来、可以打电话的时间。"),
};

// What waits to be sent

const waiting = new Map(); // talk and item → what to send; the newest only
const stored = new Map(); // talk and item → what the server has, of this page
let sending = false;
let again = 0;

const keyOf = (talk, name) => `${talk} ${name}`;
const ofTalk = (talk) => [...waiting.values()].filter((one) => one.talk === talk);
const savedBy = ({ talk, name }) => runner()?.dataset.talk === talk && runner().querySelector(`[data-item="${CSS.escape(name)}"] [data-saved]`);

function collect(item) {
  const name = item.dataset.item;
  const chosen = (kind) => [...item.querySelectorAll(`[name="${kind}-${CSS.escape(name)}"]:checked`)].map((field) => field.value);
  const text = (kind) => item.querySelector(`[name="${kind}-${CSS.escape(name)}"]`)?.value || "";
  const shown = item.querySelector(".to-departments:not([hidden])");
  return { values: chosen("v"), text: text("t"), reason: text("r"), departments: shown ? chosen("d") : [] };
}

const isEmpty = (given) => !given.values.length && !given.text.trim();

function keep(talk) {
  const left = ofTalk(talk).map(({ name, given }) => [name, given]);
  if (left.length) localStorage.setItem(KEEP + talk, JSON.stringify(left));
  else localStorage.removeItem(KEEP + talk);
}

function want(item) {
  const given = collect(item);
  const talk = runner()?.dataset.talk;
  const name = item.dataset.item;
  const key = keyOf(talk, name);
  if (!talk || isEmpty(given) || (!waiting.has(key) && stored.get(key) === JSON.stringify(given))) return;
  waiting.set(key, { talk, name, given });
  setText(item.querySelector("[data-saved]"), t("保存中…"));
  keep(talk);
  send();
}

async function send() {
  if (sending) return;
  clearTimeout(again);
  const one = waiting.values().next().value;
  if (!one) return;
  const { talk, name, given } = one;
  const key = keyOf(talk, name);
  sending = true;
  try {
    const fresh = await fetchPart("PUT", `/callback-talks/${talk}/answers/${name}`, given);
    stored.set(key, JSON.stringify(given));
    if (waiting.get(key) === one) waiting.delete(key);
    keep(talk);
    if (runner()?.dataset.talk === talk) merge(fresh, name);
  } catch (error) {
    if (error.problem === undefined) throw error;
    for (const late of error.final ? [one] : waiting.values()) {
      const saved = savedBy(late);
      if (saved) setText(saved, error.problem);
    }
    if (!error.final) {
      // After signing in again, here or in another tab, it goes on by itself.
      again = setTimeout(send, error.held ? SIGNED_OUT_MS : AGAIN_MS);
      return;
    }
    if (waiting.get(key) === one) waiting.delete(key);
    keep(talk);
  } finally {
    sending = false;
  }
  send();
}
window.addEventListener("focus", () => waiting.size && send());

/** Take over what the server says is asked now; fields that are there stay as they are. */
function merge(fresh, saved = "") {
  const root = runner();
  if (!fresh || !root) return;
  if (fresh.dataset.ended || fresh.dataset.talk !== root.dataset.talk) {
    root.replaceWith(fresh);
    return;
  }
  byId("runner-head").replaceWith(fresh.querySelector("#runner-head"));
  root.toggleAttribute("data-bad", "bad" in fresh.dataset);
  const explain = root.querySelector(".explain");
  if (explain) explain.hidden = !("bad" in fresh.dataset);
  const list = byId("runner-questions");
  const known = new Map([...list.children].map((item) => [item.dataset.item, item]));
  let before = null;
  for (const item of [...fresh.querySelectorAll("fieldset[data-item]")]) {
    let own = known.get(item.dataset.item);
    known.delete(item.dataset.item);
    if (own) {
      own.dataset.state = item.dataset.state;
      own.toggleAttribute("data-bad", "bad" in item.dataset);
    } else own = item;
    const here = before ? before.nextElementSibling : list.firstElementChild;
    if (here !== own) list.insertBefore(own, here); // what stays where it is keeps the focus
    before = own;
  }
  for (const gone of known.values()) gone.remove();
  const done = saved && list.querySelector(`[data-item="${CSS.escape(saved)}"] [data-saved]`);
  if (done && !waiting.has(keyOf(root.dataset.talk, saved))) setText(done, t("已保存"));
}

/** Show a part in place of what is there; what could not be sent before a reload is sent now. */
function put(fresh) {
  const old = runner();
  if (fresh?.dataset.talk && old?.dataset.talk === fresh.dataset.talk) merge(fresh);
  else if (fresh) place().replaceChildren(fresh);
  else if (old) place().replaceChildren();
  document.body.toggleAttribute("data-questionnaire", Boolean(runner()));
  recall();
}

/** Send what this user could not send before, of whichever talk. */
function recall() {
  const keys = Array.from({ length: localStorage.length }, (_, place) => localStorage.key(place));
  for (const kept of keys.filter((key) => USER && key.startsWith(KEEP))) {
    const talk = kept.slice(KEEP.length);
    let left = [];
    try {
      left = JSON.parse(localStorage.getItem(kept) || "[]");
    } catch {
      localStorage.removeItem(kept);
    }
    for (const [name, given] of left) {
      const key = keyOf(talk, name);
      if (!waiting.has(key)) waiting.set(key, { talk, name, given });
    }
  }
  if (waiting.size) send();
}

// What the agent does

function show(item) {
  const reason = item.querySelector(".reason");
  const explained = [...item.querySelectorAll("[data-reason]")].some((field) => field.checked);
  if (reason) reason.hidden = !explained && !reason.querySelector("input").value;
  for (const to of item.querySelectorAll(".to-departments")) {
    to.hidden = !item.querySelector(`input[value="${CSS.escape(to.dataset.for)}"]`)?.checked;
  }
}

let typed = 0;
document.addEventListener("input", (event) => {
  const item = itemOf(event.target);
  if (!item || !isTyping(event.target)) return;
  clearTimeout(typed);
  typed = setTimeout(() => want(item), TYPED_MS);
});
document.addEventListener("change", (event) => {
  const item = itemOf(event.target);
  if (!item) return;
  clearTimeout(typed);
  show(item);
  want(item);
});
document.addEventListener("click", async (event) => {
  const skip = event.target.closest?.("[data-skip]");
  if (!skip) return;
  const item = itemOf(skip);
  try {
    merge(await fetchPart("PUT", `/callback-talks/${runner().dataset.talk}/skips/${item.dataset.item}`, {}));
    focusNext();
  } catch (error) {
    complain(error);
  }
});
document.addEventListener("submit", async (event) => {
  if (event.target.id !== "runner-end") return;
  event.preventDefault();
  const form = event.target;
  const how = event.submitter?.value || "finished";
  const when = form.elements.appointed;
  if (how === "appointed" && !when.value) {
    when.focus();
    complain({ problem: t("请先选客户要求改到的时间。") });
    return;
  }
  const unasked = how === "finished" ? openItems().filter((item) => item.dataset.state === "open" && !("optional" in item.dataset)) : [];
  if (unasked.length && form.dataset.sure !== String(unasked.length)) {
    form.dataset.sure = unasked.length; // a slip of the key does not end it
    focusNext();
    complain({ problem: t("还有 %(n)s 题没有问。确实不问了，请再按一次。", { n: unasked.length }) });
    return;
  }
  if (ofTalk(runner().dataset.talk).length) {
    send();
    complain({ problem: t("还有回答正在保存，请稍等一下再按。") });
    return;
  }
  const { preferred_from: from, preferred_until: until } = form.elements;
  if (from && (Boolean(from.value) !== Boolean(until.value) || (from.value && from.value >= until.value))) {
    (from.value ? until : from).focus();
    complain({ problem: t("请把方便的时间填完整，结束要晚于开始。") });
    return;
  }
  const body = { how, explanation: form.elements.explanation.value };
  if (from?.value) Object.assign(body, { preferred_from: from.value, preferred_until: until.value });
  if (how === "appointed") body.appointed = new Date(when.value).toISOString();
  if (how === "finished") Object.assign(body, nextOf(form));
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  try {
    merge(await fetchPart("POST", `/callback-talks/${runner().dataset.talk}/end`, body));
    runner().dispatchEvent(new CustomEvent("talk-ended", { bubbles: true }));
  } catch (error) {
    complain(error);
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  }
});

/** What was decided about the next callback; nothing where it goes by the plan. */
function nextOf(form) {
  const action = form.elements.next_action?.value;
  if (!action) return {};
  const next = { next_action: action };
  if (action === "set") next.next_kind = form.elements.next_kind.value;
  if (action !== "none" && form.elements.next_on.value) next.next_on = form.elements.next_on.value;
  return next;
}

document.addEventListener("change", (event) => {
  if (event.target.id !== "next-action") return;
  for (const field of event.target.form.querySelectorAll("[data-next]")) field.hidden = !field.dataset.next.split(" ").includes(event.target.value);
});

function complain(error) {
  if (error.problem === undefined) throw error;
  const box = byId("runner-problem");
  if (!box) return;
  setText(box, error.problem);
  box.hidden = false;
}

const openItems = () => [...(runner()?.querySelectorAll("fieldset[data-item]:not(:disabled)") || [])];
const current = () => itemOf(document.activeElement) || openItems().find((item) => item.dataset.state === "open" && item.querySelector("[data-key]"));

function focusNext(after = null) {
  const items = openItems();
  const rest = after ? items.slice(items.indexOf(after) + 1) : items;
  const next = rest.find((item) => item.dataset.state === "open");
  next?.querySelector("input, textarea")?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

// Before the page's own keys: a digit belongs to the question while there is one.
document.addEventListener("keydown", (event) => {
  if (!runner() || runner().dataset.ended || event.isComposing) return;
  if (event.key === "F9") {
    event.preventDefault();
    runner().querySelector("button[value=finished]")?.click();
    return;
  }
  if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target) || !/^[0-9*]$/.test(event.key)) return;
  const elsewhere = document.activeElement && document.activeElement !== document.body && !place().contains(document.activeElement);
  const item = elsewhere ? null : current();
  const field = item?.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!field) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  field.click();
  const reason = item.querySelector(".reason:not([hidden]) input");
  if (reason && !reason.value && field.checked) reason.focus();
  else if (field.type === "radio") focusNext(item);
}, { capture: true });

window.addEventListener("beforeunload", (event) => {
  if (waiting.size) event.preventDefault();
});

/** Show the questionnaire of the call at hand; a call about nothing we ask shows none. */
let followed = "";
export async function follow(pop) {
  const wanted = pop && pop.direction !== "internal" ? `${pop.call_id} ${pop.phase === "ringing" ? "ringing" : "talking"}` : "";
  if (wanted === followed) return;
  const before = followed.split(" ")[0];
  followed = wanted;
  if (!wanted) {
    if (!runner() || runner().dataset.ended || !runner().dataset.talk) put(null); // an open one waits for its end
    return;
  }
  const begins = pop.phase === "talking";
  try {
    const fresh = await fetchPart(begins ? "POST" : "GET", `/agent/questionnaires/${pop.call_id}`, begins ? {} : undefined);
    if (followed !== wanted) return;
    if (fresh || before !== pop.call_id) put(fresh);
    // The agent's own telephone is up; the customer's still rings.
    if (begins && fresh && "wait" in fresh.dataset) setTimeout(() => open(pop.call_id, () => followed === wanted), SOON_MS);
  } catch (error) {
    if (error.problem === undefined) throw error;
    if (!error.refused) {
      followed = before;
      setTimeout(() => follow(pop), AGAIN_MS);
    }
  }
}

let opening = "";
/** Open the talk of a call that was answered; asked for none, stop waiting for one. */
export async function begin(callId) {
  if (callId === opening) return;
  opening = callId;
  if (callId) await open(callId, () => opening === callId);
  if (opening === callId) opening = "";
}

/** Ask until there is somebody to ask, as long as it is wanted. */
async function open(callId, isWanted) {
  while (isWanted()) {
    try {
      const fresh = await fetchPart("POST", `/agent/questionnaires/${callId}`, {});
      if (!isWanted()) return;
      if (!fresh || !("wait" in fresh.dataset)) {
        put(fresh);
        return;
      }
      if (!runner()) put(fresh);
    } catch (error) {
      if (error.problem === undefined) throw error;
      if (error.refused) return;
    }
    await new Promise((done) => setTimeout(done, SOON_MS));
  }
}

recall();
