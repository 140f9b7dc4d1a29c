// A campaign's monitor: figures read again when something changed, the moment's numbers from the dialler's pulse.
import { keepFresh } from "./case_live.js";
import { everySecond, duration, now } from "./clock.js";
import { setText } from "./dom.js";
import { readAlong } from "./live.js";
import "./page.js";
import { t } from "./texts.js";

const STALE_SECONDS = 10;
const root = document.getElementById("monitor");
let pulse = null;

const percent = (share) => `${Math.round(share * 10_000) / 100}%`;

function draw() {
  const card = document.getElementById("pulse");
  if (!card || !pulse) return;
  const decisions = JSON.parse(card.dataset.decisions);
  const shown = {
    dialling: pulse.dialling,
    talking: pulse.talking,
    agents_free: pulse.agents_free ?? "–",
    lines_used: pulse.lines_used,
    abandoned_share: percent(pulse.abandoned_share),
    decision: decisions[pulse.decision] || pulse.decision,
  };
  for (const node of card.querySelectorAll("[data-pulse]")) setText(node, String(shown[node.dataset.pulse]));
  card.querySelector("[data-pulse=abandoned_share]")?.classList.toggle("late", pulse.abandoned_share > pulse.cap);
  const meter = card.querySelector("[data-pulse-meter]");
  if (meter) meter.value = pulse.abandoned_share * 100;
  age();
}

function age() {
  const node = document.getElementById("pulse-age");
  if (!node || !pulse) return;
  const seconds = Math.max(0, (now() - Date.parse(pulse.as_of)) / 1000);
  const stale = seconds > STALE_SECONDS;
  node.toggleAttribute("data-stale", stale);
  document.getElementById("pulse").classList.toggle("stale-figures", stale);
  setText(node, stale ? t("已过时：%(age)s 没有新消息", { age: duration(seconds) }) : t("实时"));
}

if (root) {
  readAlong("campaigns", {
    campaign: (told) => {
      if (told.campaign_id !== root.dataset.campaign) return;
      pulse = told;
      draw();
    },
  });
  everySecond(age);
  keepFresh(root, draw);
}
