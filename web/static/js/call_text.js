// The text of a call: a word is heard when it is clicked, and the word that is heard is marked. What is there may
// be drawn anew at any time: when the text is ready, or somebody corrected it.
import { hear, momentOf } from "./recording.js";

let marked = null;

document.addEventListener("click", (event) => {
  const target = event.target.closest("#text [data-at]");
  if (target && window.getSelection().isCollapsed) hear(Number(target.dataset.at));
});

document.addEventListener(
  "timeupdate",
  (event) => {
    const now = momentOf(event.target);
    if (now === null) return;
    let found = null;
    let begun = -1;
    for (const node of document.querySelectorAll("#text .words-said [data-at]")) {
      const at = Number(node.dataset.at);
      if (at <= now && now - at < 3 && at >= begun) [found, begun] = [node, at];
    }
    if (found === marked) return;
    marked?.removeAttribute("aria-current");
    marked = found;
    marked?.setAttribute("aria-current", "true");
  },
  { capture: true }, // it does not bubble
);

// Somebody came to hear certain words: the line is in sight already, by the address.
const asked = Number(new URLSearchParams(window.location.search).get("at") ?? "x");
if (Number.isFinite(asked) && window.location.hash.startsWith("#said-")) hear(asked);
