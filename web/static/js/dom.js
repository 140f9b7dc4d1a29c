// Small tools to build and change the page. Text always goes in as text: nothing here parses markup, so a
// caller may be named whatever they like.

/** Make an element. `props`: `class`, `dataset`, `on` (event → handler), anything else is an attribute. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === "" || child === false) continue;
    node.append(child);
  }
}

/** Put `children` in place of what `node` holds. */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

/** Write text, touching the page only where it differs. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set or (with `null`) remove a data attribute, only where it differs. */
export function setData(node, name, value) {
  if (value === null || value === undefined) delete node.dataset[name];
  else if (node.dataset[name] !== String(value)) node.dataset[name] = String(value);
}

export const byId = (id) => document.getElementById(id);

/** Read a JSON block that the server wrote into the page. */
export function pageData(id) {
  const block = byId(id);
  return block ? JSON.parse(block.textContent) : {};
}

/** True when a key press belongs to a text field. */
export function isTyping(target) {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("textarea, select, input:not([type=radio]):not([type=checkbox])"))
  );
}
