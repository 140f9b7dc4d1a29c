// A text that is shown once: copied by a button, or selected where the browser does not let us copy.
import { t } from "./texts.js";

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = button.parentElement?.querySelector("[data-copy-from]");
  if (!(field instanceof HTMLInputElement)) continue;
  field.focus();
  field.select();
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = t("已复制");
    } catch {
      button.textContent = t("请按 Ctrl+C");
      field.focus();
    }
  });
}
