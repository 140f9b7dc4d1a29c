// Registering a repair.
import { keepDraft } from "./case_draft.js";
import "./case_form.js";
import { followForm } from "./case_known.js";
import { proposeFromSpeech } from "./case_suggest.js";
import { byId, setText } from "./dom.js";
import "./page.js";

const form = byId("new-case");
form.dataset.tended = "yes";
keepDraft(form);
followForm(form);
proposeFromSpeech(form);

// What is broken may not be warranted: that is said loudly, and the class follows until somebody chose it.
const item = form.elements.namedItem("item"); // «elements.item» is a method
if (item) {
  const warning = byId("item-warning");
  const class_ = form.elements.repair_class;
  class_.addEventListener("change", () => {
    class_.dataset.chosen = "yes";
  });
  const warn = () => {
    const chosen = item.selectedOptions[0];
    setText(warning, chosen?.dataset.warning || "");
    warning.hidden = !chosen?.dataset.warning;
    if (chosen?.dataset.class && class_.dataset.chosen !== "yes") class_.value = chosen.dataset.class;
  };
  item.addEventListener("change", warn);
  form.addEventListener("draft-restored", warn);
  warn();
}
