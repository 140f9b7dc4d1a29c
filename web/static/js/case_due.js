// Limits that tick: «还剩 2 小时 5 分» counts down, turns amber and red when its points are reached.
import { everySecond, now } from "./clock.js";
import { setData, setText } from "./dom.js";
import { t } from "./texts.js";

function leftText(milliseconds) {
  const late = milliseconds < 0;
  const minutes = Math.floor(Math.floor(Math.abs(milliseconds) / 1000) / 60);
  const days = Math.floor(minutes / 1440);
  const hours = Math.floor(minutes / 60);
  let span;
  if (days) span = t("%(d)s 天 %(h)s 小时", { d: days, h: hours % 24 });
  else if (hours) span = t("%(h)s 小时 %(m)s 分", { h: hours, m: minutes % 60 });
  else span = t("%(m)s 分钟", { m: minutes });
  return late ? t("已超 %(span)s", { span }) : t("还剩 %(span)s", { span });
}

function draw() {
  for (const node of document.querySelectorAll("[data-due]")) {
    const moment = now();
    setText(node.querySelector("[data-left]") || node, leftText(Date.parse(node.dataset.due) - moment));
    if (moment >= Date.parse(node.dataset.red)) setData(node, "tone", "red");
    else if (moment >= Date.parse(node.dataset.amber)) setData(node, "tone", "amber");
  }
}

everySecond(draw);
