// A number on a page is called: one's own telephone rings first, then the other side's. What is pressed twice is one
// call: the page waits for the first, and each wish carries a key of its own.
import { send, toast } from "./page.js";
import { t } from "./texts.js";

const LOOK_MS = 1000;
const MOST_LOOKS = 150; // longer than both telephones ring
let calling = false;

const rules = {
  do_not_call: () => t("客户要求不再来电"),
  not_dialable: () => t("号码不能由系统拨打"),
  bad_number: () => t("号码有误或已知打不通"),
  region_blocked: () => t("运营商不通这个地区"),
  calendar_unknown: () => t("这一年的节假日还没有录入"),
  outside_window: () => t("不在可拨时段"),
  frequency: () => t("这个号码近期来电过多"),
  carrier_frequency: () => t("超过运营商对号码的频次限制"),
  open_attempt: () => t("正在拨打同一号码"),
  customer_on_call: () => t("客户正与我们通话"),
  no_caller_id: () => t("没有设置主叫号码"),
  concurrency: () => t("线路已用满"),
  calls_per_second: () => t("每秒拨打数已到上限"),
};

const problems = {
  agent_not_free: () => t("请先签入，并结束通话或小结，再拨打"),
  not_an_agent: () => t("您没有分机，不能从页面拨打"),
  phone_away: () => t("您的电话没有连上：请打开坐席页面，或检查话机"),
  already_calling: () => t("您正在通话中，请先挂断再拨。"),
  no_customer_number: () => t("这里没有能拨打的号码"),
  calls_too_often: () => t("这一小时拨打得太多了，请过一会儿再试"),
  not_found: () => t("没有找到，可能已被删除。"),
  forbidden: () => t("您没有这个权限。"),
  unavailable: () => t("电话系统暂时连不上，请稍后再试。"),
  telephony_away: () => t("电话系统暂时连不上，请稍后再试。"),
};

const states = {
  ringing: () => t("正在接通对方"),
  answered: () => t("通话中"),
};

const ends = {
  answered: () => [t("已结束"), "note"],
  no_answer: () => [t("对方没有接听"), "error"],
  busy: () => [t("对方的电话正忙"), "error"],
  rejected: () => [t("对方没有接听"), "error"],
  off: () => [t("对方的电话已关机或不在服务区"), "error"],
  empty: () => [t("对方的号码是空号"), "error"],
  congestion: () => [t("线路没有接通，请稍后再拨"), "error"],
  failed: () => [t("自己的电话没有接通，没有呼叫对方"), "error"],
};

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-dial]");
  if (button) dial(button);
});

async function dial(button) {
  if (calling) return;
  calling = true;
  mark();
  const [kind, ref] = button.dataset.dial.split(":");
  const key = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  try {
    const placed = await send("POST", "/api/v1/number-calls", { kind, ref }, { quiet: true, headers: { "Idempotency-Key": key } });
    toast(t("正在呼叫您的电话，请接听"));
    await follow(placed.call_id);
  } catch (error) {
    toast(why(error), "error");
  } finally {
    calling = false;
    mark();
  }
}

/** Say why nothing rings. */
function why({ code, problem, message }) {
  if (code !== "dial_refused") return problems[code]?.() || message;
  const rule = rules[problem.refusal]?.() || problem.refusal;
  if (!problem.until) return t("现在不能拨打：%(why)s。", { why: rule });
  const zone = document.body.dataset.zone;
  const at = new Date(problem.until).toLocaleString(document.documentElement.lang, { timeZone: zone, month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false });
  return t("现在不能拨打：%(why)s。最早 %(at)s 可以拨。", { why: rule, at });
}

/** Tell how the call goes on until they talk, or it is over. */
async function follow(callId) {
  let told = "";
  for (let look = 0; look < MOST_LOOKS; look += 1) {
    await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
    const call = await read(callId);
    if (!call || call.state === told) continue;
    told = call.state;
    if (told === "ended") return toast(...(ends[call.outcome]?.() || [t("不确定有没有接通，系统不会自动重拨"), "error"]));
    if (states[told]) toast(states[told]());
    if (told === "answered") return undefined;
  }
  return undefined;
}

async function read(callId) {
  try {
    const answer = await fetch(`/api/v1/number-calls/${callId}`, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(5000) });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // looked for again a second later
  }
}

function mark() {
  for (const button of document.querySelectorAll("[data-dial]")) button.setAttribute("aria-disabled", String(calling));
}
