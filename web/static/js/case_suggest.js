// What was heard in the call, beside the form of a case: one key or a click puts it in; what somebody wrote stays.
import { keepFresh } from "./case_live.js";

const MOST = 9;
const BETWEEN = "\uff1b"; // semicolon and full stop of Chinese texts
const ASKED_MS = 10_000; // who came to have it all put in does not wait longer for it
const END = /[\u3002\uff1b;]$/;

/** Look after the proposals beside `form`, where the page has them. */
export function proposeFromSpeech(form) {
  const first = document.getElementById("suggestions");
  if (!first) return;
  const touched = new Set(); // fields that a person, not a proposal, has written in
  const taken = new Set();
  let putting = false;
  const address = new URL(window.location.href);
  let all = address.searchParams.get("take") === "1"; // a key on the agent's page: all of it goes in
  if (all) {
    address.searchParams.delete("take"); // once: who comes back to the page takes what they want
    window.history.replaceState(null, "", address);
    setTimeout(() => { all = false; }, ASKED_MS);
  }
  const here = () => document.getElementById("suggestions");
  // By namedItem: «elements.item» is a method, and a field of repairs.
  const nameOf = (button) => `${button.dataset.field}|${button.dataset.value}`;
  const shown = () => [...here().querySelectorAll(".suggestion:not([hidden])")];

  for (const event of ["input", "change"]) {
    form.addEventListener(event, ({ target }) => !putting && target.name && touched.add(target.name));
  }

  // What a draft brought back, somebody wrote; it has been brought back already.
  for (const field of form.dataset.restored ? form.elements : []) {
    const options = field.localName === "select" ? [...field.options] : [];
    if (options.length && field.selectedIndex !== Math.max(0, options.findIndex((one) => one.defaultSelected))) touched.add(field.name);
    if (field.type === "radio" && field.checked !== field.defaultChecked) touched.add(field.name);
  }

  /** Return the field of a proposal; a second line is added for one that needs it. */
  function fieldOf(button) {
    const name = button.dataset.field;
    if (!form.elements.namedItem(name) && name.startsWith("lines.")) document.getElementById("add-line")?.click();
    return form.elements.namedItem(name);
  }

  const possible = (button) => {
    const field = form.elements.namedItem(button.dataset.field);
    if (!field) return button.dataset.field.startsWith("lines.") && document.getElementById("add-line") !== null;
    return field.localName !== "select" || [...field.options].some((option) => option.value === button.dataset.value);
  };

  function take(button) {
    const field = fieldOf(button);
    const { value, mode } = button.dataset;
    if (!field) return;
    if (mode === "add") {
      const now = field.value.trim();
      if (!now.includes(value)) field.value = now ? `${now.replace(END, "")}${BETWEEN}${value}`.slice(0, field.maxLength > 0 ? field.maxLength : undefined) : value;
    } else {
      const written = touched.has(button.dataset.field) || (field.localName === "input" && field.value.trim() !== "");
      if (written && field.value !== value) {
        button.dataset.state = "kept";
        return;
      }
      field.value = value;
      if (field instanceof HTMLElement) field.dataset.chosen = "yes";
      if (button.dataset.field === "severity") form.dataset.severityChosen = "yes";
    }
    const target = field instanceof HTMLElement ? field : field[0];
    putting = true;
    for (const event of ["input", "change"]) target.dispatchEvent(new Event(event, { bubbles: true }));
    putting = false;
    taken.add(nameOf(button));
    draw();
  }

  function draw() {
    for (const button of here().querySelectorAll(".suggestion")) {
      button.hidden = !possible(button);
      button.parentElement.hidden = button.hidden;
      if (taken.has(nameOf(button))) button.dataset.state = "taken";
    }
    shown().forEach((button, place) => {
      const key = place < MOST ? `Alt+${place + 1}` : "";
      button.querySelector("kbd").textContent = key;
      if (key) button.setAttribute("aria-keyshortcuts", key);
    });
    here().hidden = shown().length === 0 && !here().querySelector(".rows li");
    if (all && shown().length) {
      all = false;
      for (const { dataset } of shown()) take(here().querySelector(`.suggestion[data-field="${CSS.escape(dataset.field)}"][data-value="${CSS.escape(dataset.value)}"]`));
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#suggestions .suggestion");
    if (button) take(button);
  });
  document.addEventListener("keydown", (event) => {
    const digit = /^Digit([1-9])$/.exec(event.code);
    if (!digit || !event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    const button = shown()[Number(digit[1]) - 1];
    if (!button) return;
    event.preventDefault();
    take(button);
  });
  keepFresh(first, draw);
  draw();
}
