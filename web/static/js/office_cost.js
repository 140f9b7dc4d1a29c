// The cost sheet: lines of material are added, amounts and the total are reckoned while one types.
import { setText } from "./dom.js";
import { t } from "./texts.js";

const number = (text) => {
  const value = Number(text);
  return text && Number.isFinite(value) && value >= 0 ? value : 0;
};
const cents = (value) => Math.round(value * 100 + 1e-7);
const shown = (value) => (value / 100).toFixed(2);

function reckon(form) {
  let material = 0;
  let lines = 0;
  for (const row of form.querySelectorAll("[data-material]")) {
    const [item, quantity, price] = ["item", "quantity", "price"].map((name) => row.querySelector(`[data-part-of=${name}]`).value);
    const amount = cents(number(quantity) * number(price));
    setText(row.querySelector("[data-amount]"), amount ? shown(amount) : "");
    material += amount;
    if (item.trim() || amount) lines += 1;
  }
  const total = material + cents(number(form.elements.labour.value)) + cents(number(form.elements.travel.value));
  form.elements.total.value = shown(total);
  setText(form.querySelector("[data-total]"), shown(total));
  const kind = form.querySelector("[data-kind]");
  setText(kind, lines ? t("非正常维修（换了材料）") : t("正常维修（只收人工）"));
  kind.dataset.tone = lines ? "amber" : "green";
}

/** A material of the catalogue brings its unit, kind and price; what is none of it needs a reason. */
function pick(form, field) {
  const row = field.closest("[data-material]");
  const listed = [...(form.querySelector("#catalogue")?.options || [])].find((option) => option.value === field.value.trim());
  const why = row.querySelector("[data-why]");
  if (why) why.hidden = Boolean(listed) || !field.value.trim();
  if (!listed) return;
  for (const name of ["unit", "price", "kind"]) row.querySelector(`[name$="-${name}"]`).value = listed.dataset[name];
}

function addLine(form) {
  const rows = form.querySelectorAll("[data-material]");
  const last = rows[rows.length - 1];
  const row = last.cloneNode(true);
  const place = rows.length;
  for (const field of row.querySelectorAll("input, select")) {
    field.name = field.name.replace(/\d+/, place);
    field.id = field.id.replace(/\d+/, place);
    if (field.tagName === "INPUT") field.value = "";
    field.removeAttribute("aria-invalid");
  }
  for (const label of row.querySelectorAll("label")) label.htmlFor = label.htmlFor.replace(/\d+/, place);
  setText(row.querySelector("[data-amount]"), "");
  last.after(row);
  return row;
}

const tended = new WeakSet();

/** Let the cost sheets under `root` reckon themselves. */
export function tendCosts(root = document) {
  for (const form of root.querySelectorAll("form[data-cost]")) {
    if (tended.has(form)) continue;
    tended.add(form);
    form.querySelector("[data-add-material]").addEventListener("click", () => {
      addLine(form).querySelector("input").focus();
    });
    form.addEventListener("input", (event) => {
      if (event.target.dataset?.partOf === "item") pick(form, event.target);
      reckon(form);
    });
    for (const field of form.querySelectorAll("[data-part-of=item]")) {
      const why = field.closest("[data-material]").querySelector("[data-why]");
      const listed = [...(form.querySelector("#catalogue")?.options || [])].some((option) => option.value === field.value.trim());
      if (why) why.hidden = listed || !field.value.trim();
    }
    form.addEventListener("draft-restored", () => reckon(form));
    form.querySelector("[data-rest]")?.addEventListener("click", (event) => {
      const bearers = [...form.querySelectorAll("input[data-part]")];
      const field = form.elements[event.target.dataset.rest];
      const others = bearers.filter((item) => item !== field).reduce((sum, item) => sum + cents(number(item.value)), 0);
      field.value = shown(Math.max(0, cents(number(form.elements.total.value)) - others));
      form.dispatchEvent(new Event("input", { bubbles: true }));
    });
    reckon(form);
  }
}
