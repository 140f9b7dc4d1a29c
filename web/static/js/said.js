// What was said in calls: a sentence is heard where it stands; the arrows go through the calls.
import { byId, isTyping } from "./dom.js";

const audio = byId("said-audio");
const player = byId("player");
const none = byId("said-none");
const LEAD = 0.15; // what is said begins a little before its time

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-play]");
  if (!button) return;
  const at = Math.max(0, Number(button.dataset.at) - LEAD);
  const play = () => {
    audio.currentTime = at;
    audio.play().catch(() => {});
  };
  player.hidden = false;
  none.hidden = true;
  for (const other of document.querySelectorAll("[data-play][aria-current]")) other.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  if (audio.getAttribute("src") === button.dataset.play && audio.readyState >= 1) {
    play();
    return;
  }
  audio.src = button.dataset.play;
  audio.onloadedmetadata = play;
  audio.load();
});

audio.addEventListener("error", () => {
  none.hidden = false;
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const links = [...document.querySelectorAll("#results .row-link")];
  const at = links.indexOf(document.activeElement);
  const box = byId("words");
  if (!links.length || (at < 0 && document.activeElement !== box && isTyping(event.target))) return;
  event.preventDefault();
  const next = event.key === "ArrowDown" ? at + 1 : at - 1;
  if (next < 0) box.focus();
  else links[Math.min(next, links.length - 1)].focus();
});
