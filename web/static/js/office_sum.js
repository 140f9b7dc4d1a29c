// Shares and amounts that must add up: the sum is shown while one types.
import { t } from "./texts.js";

const cents = (text) => {
  const found = /^\s*(\d{1,10})(?:\.(\d{1,2}))?\s*$/.exec(text || "");
  if (!found) return text && text.trim() ? NaN : 0;
  return Number(found[1]) * 100 + Number((found[2] || "").padEnd(2, "0"));
};
const shown = (value) => (value / 100).toFixed(2);

function draw(box) {
  const form = box.closest("form");
  const target = box.dataset.sum;
  const wanted = /^[\d.]+$/.test(target) ? cents(target) : cents(form.elements[target]?.value);
  const sum = [...box.querySelectorAll("input[data-part]")].reduce((total, field) => total + cents(field.value), 0);
  const line = box.querySelector("[data-sum-line]");
  if (Number.isNaN(sum) || Number.isNaN(wanted)) {
    line.textContent = t("金额写成 1200 或 1200.50");
    line.dataset.tone = "red";
    return;
  }
  const rest = wanted - sum;
  line.dataset.tone = rest === 0 ? "green" : "amber";
  line.textContent = rest === 0
    ? t("合计 %(sum)s，正好", { sum: shown(sum) })
    : rest > 0
      ? t("合计 %(sum)s，还差 %(rest)s", { sum: shown(sum), rest: shown(rest) })
      : t("合计 %(sum)s，多了 %(rest)s", { sum: shown(sum), rest: shown(-rest) });
}

const tended = new WeakSet();

/** Let the sums under `root` follow what is typed. */
export function tendSums(root = document) {
  for (const box of root.querySelectorAll("[data-sum]")) {
    if (tended.has(box)) continue;
    tended.add(box);
    const form = box.closest("form");
    form.addEventListener("input", () => draw(box));
    form.addEventListener("draft-restored", () => draw(box));
    draw(box);
  }
}
