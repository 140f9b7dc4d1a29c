// The list of notices: what has just come is one press away; keys go through the list.
import { byId, isTyping } from "./dom.js";

const fresh = byId("fresh");
document.addEventListener("notices-arrived", () => { fresh.hidden = false; });

const rows = () => [...document.querySelectorAll("#notices .open")];

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
  const step = { j: 1, k: -1 }[event.key];
  if (!step) return;
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step));
  all[next].focus();
  event.preventDefault();
});
