// What is typed into a long form is kept in this browser until the server has it.
const PREFIX = "hf.draft.";
const SENT = "hf.draft.sent";
const A_WEEK = 7 * 86_400_000;

const fieldsOf = (form) => [...form.elements].filter((field) => field.name && !["hidden", "submit", "button", "file", "password"].includes(field.type));

function valuesOf(form) {
  const values = {};
  for (const field of fieldsOf(form)) {
    if (field.type === "radio") {
      if (field.checked) values[field.name] = field.value;
    } else values[field.name] = field.type === "checkbox" ? field.checked : field.value;
  }
  return values;
}

function put(form, values) {
  for (const field of fieldsOf(form)) {
    if (!(field.name in values)) continue;
    const value = values[field.name];
    if (field.type === "radio") field.checked = field.value === value;
    else if (field.type === "checkbox") field.checked = Boolean(value);
    else field.value = value;
  }
}

const initial = new WeakMap();

/** True when something in `form` is not as the server wrote it. */
export const isDirty = (form) => initial.has(form) && JSON.stringify(valuesOf(form)) !== initial.get(form);

/** Keep what is typed into `form`; give back what was typed before. `before(values)` may make room for it. */
export function keepDraft(form, before = () => {}) {
  const key = PREFIX + form.dataset.draft;
  initial.set(form, JSON.stringify(valuesOf(form)));
  const refused = Boolean(form.querySelector("[aria-invalid]")) || Boolean(document.querySelector("[role=alert][data-first]"));
  const kept = read(key);
  if (kept && !refused) {
    before(kept.values);
    put(form, kept.values);
    form.closest("details")?.setAttribute("open", "");
    form.dataset.restored = "yes";
    form.dispatchEvent(new CustomEvent("draft-restored"));
  }
  let timer = 0;
  const save = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (isDirty(form)) write(key, valuesOf(form));
      else localStorage.removeItem(key);
    }, 300);
  };
  form.addEventListener("input", save);
  form.addEventListener("change", save);
  form.addEventListener("submit", () => {
    clearTimeout(timer);
    write(key, valuesOf(form));
    sessionStorage.setItem(SENT, key);
  });
}

/** The server says that it has what was sent: forget the draft of it. */
export function forgetSent() {
  const key = sessionStorage.getItem(SENT);
  sessionStorage.removeItem(SENT);
  if (key && document.querySelector("[data-saved]")) localStorage.removeItem(key);
}

function read(key) {
  try {
    const kept = JSON.parse(localStorage.getItem(key));
    if (kept && Date.now() - kept.at < A_WEEK) return kept;
    localStorage.removeItem(key);
  } catch {
    localStorage.removeItem(key);
  }
  return null;
}

function write(key, values) {
  try {
    localStorage.setItem(key, JSON.stringify({ at: Date.now(), values }));
  } catch {
    // the browser keeps nothing more: what is typed still stands in the form
  }
}
