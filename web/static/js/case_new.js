// Registering a complaint: cause lines come and go, the department follows the class.
import { keepDraft } from "./case_draft.js";
import "./case_form.js";
import { followForm } from "./case_known.js";
import { proposeFromSpeech } from "./case_suggest.js";
import { byId, pageData, setText } from "./dom.js";
import "./page.js";
import { t } from "./texts.js";

const { proposed, second, grave, groups, serious, max } = pageData("page");
const form = byId("new-case");
const list = byId("lines");
const rows = () => [...list.querySelectorAll("[data-line]")];

function number() {
  rows().forEach((row, place) => {
    for (const field of row.querySelectorAll("[data-part]")) {
      const name = `lines.${place}.${field.dataset.part}`;
      field.name = name;
      row.querySelector(`label[for="${CSS.escape(field.id)}"]`)?.setAttribute("for", name);
      field.id = name;
    }
    row.querySelector("[data-remove]").hidden = rows().length === 1;
  });
  byId("add-line").disabled = rows().length >= max;
}

function addLine() {
  if (rows().length >= max) return null;
  list.append(byId("line-template").content.cloneNode(true));
  number();
  return rows().at(-1);
}

function propose(row) {
  const [class_] = row.querySelector("[data-part=kind]").value.split(".");
  const option = row.querySelector("[data-auto]");
  const department = proposed[class_];
  setText(option, department ? t("自动：%(department)s", { department }) : class_ ? t("请选择部门") : t("按对应关系"));
  const other = row.querySelector("[data-second]");
  const more = second[class_];
  const named = rows().some((one) => one.querySelector("[data-part=department]").value === more?.code);
  other.hidden = !more || named || rows().length >= max;
  if (more) setText(other, t("再加%(department)s", { department: more.name }));
}

/** Add a line like `row` for the department that has a part in it as a rule. */
function addSecond(row) {
  const kind = row.querySelector("[data-part=kind]").value;
  const more = second[kind.split(".")[0]];
  const line = more && addLine();
  if (!line) return;
  line.querySelector("[data-part=kind]").value = kind;
  line.querySelector("[data-part=department]").value = more.code;
  rows().forEach(propose);
  line.querySelector("[data-part=cause]").focus();
  form.dispatchEvent(new Event("input"));
}

byId("add-line").addEventListener("click", (event) => {
  event.preventDefault();
  addLine()?.querySelector("select").focus();
});
list.addEventListener("click", (event) => {
  if (event.target.closest("[data-second]")) {
    addSecond(event.target.closest("[data-line]"));
    return;
  }
  const button = event.target.closest("[data-remove]");
  if (!button || rows().length === 1) return;
  const row = button.closest("[data-line]");
  const next = row.previousElementSibling || row.nextElementSibling;
  row.remove();
  number();
  rows().forEach(propose);
  next.querySelector("select").focus();
  form.dispatchEvent(new Event("input"));
});
list.addEventListener("change", (event) => {
  const row = event.target.closest("[data-line]");
  if (row && event.target.dataset.part === "kind") {
    propose(row);
    proposeSerious();
    proposeMajor();
  }
});
document.addEventListener("keydown", (event) => {
  if (!event.altKey || event.ctrlKey || event.metaKey || event.code !== "KeyL") return;
  event.preventDefault();
  byId("add-line").click();
});

/** Safety, an unauthorised charge or a danger make it a serious one, unless somebody has chosen. */
function proposeSerious() {
  const kinds = rows().map((row) => row.querySelector("[data-part=kind]").value);
  const danger = form.elements.urgency.value === "emergency" || kinds.some((kind) => serious.includes(kind));
  if (danger && form.elements.severity.value === "1" && !form.dataset.severityChosen) form.elements.severity.value = "2";
}
/** Several customers of the community with the same complaint make it a major one, unless somebody has chosen. */
function proposeMajor() {
  const found = rows().map((row) => groups[row.querySelector("[data-part=kind]").value.split(".")[0]]).find(Boolean);
  const hint = byId("group-hint");
  hint.hidden = !found;
  if (!found) return;
  setText(hint, t("疑似群诉：同小区近期有 %(n)s 位客户反映同类问题（%(nos)s），建议按重大登记。", { n: found.customers, nos: found.nos }));
  if (!form.dataset.severityChosen) form.elements.severity.value = "3";
}
for (const choice of form.elements.severity) {
  choice.addEventListener("change", () => {
    form.dataset.severityChosen = "yes";
  });
}
form.addEventListener("suggested", proposeSerious);
form.elements.urgency.addEventListener("change", proposeSerious);

form.elements.source.addEventListener("change", () => {
  // From the press or an authority it is a major one; the agent may still choose 2.
  if (grave.includes(form.elements.source.value) && form.elements.severity.value === "1") {
    form.elements.severity.value = "3";
  }
});
form.addEventListener("draft-restored", () => {
  rows().forEach(propose);
  proposeMajor();
});

form.dataset.tended = "yes";
keepDraft(form, (values) => {
  const wanted = Object.keys(values).filter((name) => /^lines\.\d+\.kind$/.test(name)).length;
  while (rows().length < wanted && addLine());
});
number();
rows().forEach(propose);
proposeMajor();
followForm(form);
proposeFromSpeech(form);
