// What the forms of cases share: Ctrl+Enter sends, a form goes out once, the first problem gets the focus.
import { forgetSent, keepDraft } from "./case_draft.js";

/** Look after every form with a draft under `root`. */
export function tendForms(root = document) {
  for (const form of root.querySelectorAll("form[data-draft]")) {
    if (form.dataset.tended) continue;
    form.dataset.tended = "yes";
    keepDraft(form);
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
  const form = event.target.closest?.("form.step-form, #new-case") || document.getElementById("new-case");
  if (!form) return;
  event.preventDefault();
  form.requestSubmit(form.querySelector(".button.primary"));
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sending) event.preventDefault();
  form.dataset.sending = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sending]")) delete form.dataset.sending;
});

document.addEventListener("toggle", (event) => {
  const box = event.target;
  if (!(box instanceof HTMLDetailsElement) || !box.open || !box.matches(".step")) return;
  box.querySelector("textarea, select, input:not([type=hidden]):not([type=checkbox])")?.focus();
}, true);

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const box = event.target.closest?.("details.step[open]");
  if (!box) return;
  box.open = false;
  box.querySelector("summary").focus();
});

forgetSent();
const first = document.querySelector("[aria-invalid]") || document.querySelector("[role=alert][data-first]");
if (first) first.focus();
