// The text of a call: a word is heard when it is clicked, and the word that is heard is marked.
import { byId } from "./dom.js";

const audio = byId("recording");
const text = byId("text");
const pieces = [...text.querySelectorAll(".words-said [data-at]")].map((node) => ({ node, at: Number(node.dataset.at) }));
const LEAD = 0.15; // what is said begins a little before its time
let marked = null;

text.addEventListener("click", (event) => {
  const target = event.target.closest("[data-at]");
  if (!target || !window.getSelection().isCollapsed) return;
  const at = Math.max(0, Number(target.dataset.at) - LEAD);
  const play = () => {
    audio.currentTime = at;
    audio.play().catch(() => {});
  };
  if (audio.readyState >= 1) play();
  else {
    audio.addEventListener("loadedmetadata", play, { once: true });
    audio.load();
  }
});

audio.addEventListener("timeupdate", () => {
  const now = audio.currentTime;
  let found = null;
  for (const piece of pieces) {
    if (piece.at <= now && now - piece.at < 3 && (!found || piece.at >= found.at)) found = piece;
  }
  if (found?.node === marked) return;
  marked?.removeAttribute("aria-current");
  marked = found?.node ?? null;
  marked?.setAttribute("aria-current", "true");
});
