// Every page: «/» goes to the search box. On the search page the arrows go through the hits.
const box = () => document.getElementById("find");
const typing = (node) => node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "/" && box() && !typing(event.target)) {
    event.preventDefault();
    box().focus();
    box().select();
    return;
  }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const hits = [...document.querySelectorAll(".search-page .hit")];
  const at = hits.indexOf(document.activeElement);
  if (!hits.length || (at < 0 && document.activeElement !== box())) return;
  event.preventDefault();
  const next = event.key === "ArrowDown" ? at + 1 : at - 1;
  if (next < 0) box().focus();
  else hits[Math.min(next, hits.length - 1)].focus();
});
