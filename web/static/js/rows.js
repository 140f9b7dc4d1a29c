// Tables whose rows keep their place and are changed cell by cell, so that nothing flickers.
import { el, setData, setText } from "./dom.js";
import { tickFrom } from "./clock.js";

/**
 * Make the rows of `body` those of `items`.
 * @param key item → text that names the row
 * @param cells item → list of cells: a text, or {text, since, late, href, tone, dot, cls, title},
 *   or {draw}, which fills the cell itself
 */
export function drawRows(body, items, key, cells) {
  const known = new Map([...body.children].map((row) => [row.dataset.key, row]));
  let place = body.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const drawn = cells(item);
    let row = known.get(name);
    known.delete(name);
    if (!row) row = el("tr", { dataset: { key: name } }, drawn.map(() => el("td")));
    if (row === place) place = place.nextElementSibling;
    else body.insertBefore(row, place);
    drawn.forEach((cell, index) => drawCell(row.children[index], typeof cell === "object" ? cell : { text: cell }));
  }
  for (const row of known.values()) row.remove();
}

function drawCell(cell, { draw, text = "", since, late = null, href, tone, dot, cls = "", title = "" }) {
  if (draw) {
    draw(cell);
    return;
  }
  if (cell.title !== title) cell.title = title;
  if (since !== undefined) {
    if (cls) cell.classList.add(cls); // beside "late", which belongs to the clock
    tickFrom(cell, since, late);
    if (!since) setText(cell, text || "–");
    return;
  }
  if (cell.className !== cls) cell.className = cls;
  if (href || tone || dot) {
    const kind = href ? "a" : "span";
    let inner = cell.querySelector(":scope > .inner");
    if (!inner || inner.localName !== kind) {
      cell.replaceChildren(dot ? el("span", { class: "dot-state", "aria-hidden": true }) : "", (inner = el(kind, { class: "inner" })));
    }
    if (href && inner.getAttribute("href") !== href) inner.setAttribute("href", href);
    if (tone) {
      inner.classList.add("chip");
      setData(inner, "tone", tone);
    }
    if (dot) setData(cell.firstElementChild, "state", dot);
    setText(inner, String(text));
    return;
  }
  setText(cell, String(text));
}
