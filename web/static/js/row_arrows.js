// Tables that are walked through with the arrows: each row has one link, which Enter follows.
import { isTyping } from "./dom.js";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const links = [...document.querySelectorAll("[data-arrows] .row-link")];
  const here = document.activeElement;
  const at = links.indexOf(here);
  const free = here === document.body || here?.id === "main";
  if (!links.length || (at < 0 && !free) || (at < 0 && isTyping(event.target))) return;
  event.preventDefault();
  links[Math.min(Math.max(event.key === "ArrowDown" ? at + 1 : at - 1, 0), links.length - 1)].focus();
});
