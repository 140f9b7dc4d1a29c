// The state bar: what I am, for how long, what to do next.
import { tickFrom } from "./clock.js";
import { byId, setData, setText } from "./dom.js";
import { isNewcomer, mustChoose } from "./customer_pane.js";
import { t } from "./texts.js";

/** Draw the bar. `desk` is {state, pop, stale}, where `state` may be `null` before the first message. */
export function drawState(desk, labels) {
  const { state } = desk;
  const code = state?.state || "unknown";
  const box = byId("state");
  setData(box, "state", code);
  setText(byId("state-name"), state ? labels.states[code] || code : t("连接中"));
  setText(byId("state-why"), state?.reason ? labels.pause_reasons[state.reason] || state.reason : "");
  tickFrom(byId("state-clock"), state?.since || null);
  const [step, more] = nextStep(desk, labels);
  setText(byId("next-step"), step);
  setText(byId("next-more"), more);
  byId("sign-in").hidden = code !== "signed_out";
  byId("sign-out").hidden = !state || code === "signed_out" || state.next_state === "signed_out";
  byId("resume").hidden = !(code === "paused" || state?.next_state);
  byId("pause-menu").hidden = !state || code === "signed_out" || code === "paused" || Boolean(state.next_state);
  setText(byId("resume"), state?.next_state ? t("撤销") : t("恢复接听"));
}

function nextStep({ state, pop, stale }, labels) {
  if (stale) return [t("正在重新连接"), t("电话照常接听，备注照常填写，连上后自动同步。")];
  if (!state) return [t("正在连接…"), ""];
  const after = afterCall(state, labels);
  switch (state.state) {
    case "signed_out":
      return [t("签入后开始接电话"), queuesText(state, labels)];
    case "available":
      return [t("等待来电"), queuesText(state, labels)];
    case "reserved":
      return [t("马上有回电，请稍候"), t("客户留了位置等您，话机会先响。")];
    case "ringing":
      return [document.body.dataset.phone ? t("按 A 接听") : t("请拿起话机接听"), after];
    case "on_call":
      if (mustChoose(pop)) return [t("请问是哪一位客户，按数字键选择"), after];
      if (isNewcomer(pop)) return [t("请问姓名和地址，填在中间的表里"), after];
      return [t("边听边记，挂机后选择处理结果"), after];
    case "wrap_up":
      return [t("选择处理结果，然后保存"), after];
    case "paused":
      return pausedStep(state);
    default:
      return ["", ""];
  }
}

function pausedStep(state) {
  if (state.reason === "no_answer") return [t("连续没有接听，已停止派来电"), t("准备好以后按「恢复接听」。")];
  if (state.reason === "tab_asleep") return [t("页面刚才没有响应，已停止派来电"), t("现在按「恢复接听」即可。")];
  return [t("休息好以后按「恢复接听」"), t("小休期间不会派来电。")];
}

function afterCall(state, labels) {
  if (state.next_state === "signed_out") return t("结束后将签出。");
  if (state.next_state === "paused") return t("结束后将小休：%(reason)s", { reason: labels.pause_reasons[state.next_reason] || state.next_reason || "" });
  return "";
}

function queuesText(state, labels) {
  const names = state.queues.map((name) => labels.queues[name] || name);
  return names.length ? t("队列：%(names)s", { names: names.join(labels.list_comma) }) : t("还没有分配队列，请找主管。");
}
