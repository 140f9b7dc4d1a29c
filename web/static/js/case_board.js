// Lists of cases: fresh, and walked through with the arrows.
import "./case_due.js";
import { keepFresh } from "./case_live.js";
import "./page.js";

const root = document.querySelector("[data-live-cases], [data-live-list]");
if (root) keepFresh(root);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const links = [...document.querySelectorAll(".case-link")];
  const at = links.indexOf(document.activeElement);
  if (!links.length || (at < 0 && document.activeElement !== document.body && document.activeElement?.id !== "main")) return;
  event.preventDefault();
  links[Math.min(Math.max(event.key === "ArrowDown" ? at + 1 : at - 1, 0), links.length - 1)].focus();
});
