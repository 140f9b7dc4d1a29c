// What customers said, one after the other, without the mouse: play, heard, next, and a digit for what it is about.
import { keepFresh } from "./case_live.js";
import { byId, isTyping } from "./dom.js";
import { pageOf } from "./own_page.js";
import { toast } from "./page.js";
import { t } from "./texts.js";

const list = () => byId("voice-rows");
const rows = () => [...list().querySelectorAll("[data-said]")];
const rowOf = (node) => node?.closest?.("[data-said]");
let current = ""; // which one is worked on, and where it stands in the list
let place = 0;

const here = () => rows().find((row) => row.dataset.said === current) || null;

/** Work on a row; what plays in another stops. */
function aim(row, { focus = true } = {}) {
  for (const other of rows()) {
    if (other === row) continue;
    other.removeAttribute("aria-current");
    delete other.dataset.busy;
    other.querySelector("audio")?.pause();
  }
  if (!row) return;
  current = row.dataset.said;
  place = rows().indexOf(row);
  row.setAttribute("aria-current", "true");
  if (!focus) return;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const at = here() ? rows().indexOf(here()) + by : Math.min(place, rows().length - 1);
  const row = rows()[at];
  if (row) aim(row);
  else if (by > 0 && here()) toast(t("这是最后一条。"));
}

const ask = (row = here() || rows()[0]) => {
  if (row && row.dataset.said !== current) aim(row);
  return row;
};

function play() {
  const row = ask();
  const player = row?.querySelector("audio");
  if (!player) return;
  if (player.paused) player.play().catch(() => toast(t("录音放不出来，可能已经到期删除。"), "error"));
  else player.pause();
}

/** Send a form of a row; what comes back is put beside the player, which goes on. */
async function send(row, step_, fields) {
  const { search } = window.location;
  let fresh;
  try {
    const answer = await fetch(`/callback-voices/${row.dataset.said}/${step_}${search}`, {
      method: "POST",
      headers: { "X-Part": "row" },
      body: new URLSearchParams(fields),
      signal: AbortSignal.timeout(10_000),
    });
    if (answer.redirected || answer.status === 401) {
      window.location.assign("/sign-in");
      return null;
    }
    fresh = (await pageOf(answer)).querySelector("[data-said]");
  } catch {
    toast(t("连不上服务器，请稍后再试。"), "error");
    return null;
  }
  if (!fresh) {
    toast(t("服务器没有完成这个操作，请再试一次。"), "error");
    return null;
  }
  const typed = new Map(new FormData(row.querySelector(".said-form") || undefined));
  row.querySelector(".said-foot").replaceWith(fresh.querySelector(".said-foot"));
  const words = fresh.querySelector(".said-words");
  if (words) row.querySelector(".said-words")?.replaceWith(words);
  for (const name of ["version", "heard", "class"]) {
    if (name in fresh.dataset) row.dataset[name] = fresh.dataset[name];
    else delete row.dataset[name];
  }
  if (!row.querySelector(".said-foot [role=alert]")) return fresh.dataset.done;
  const { elements } = row.querySelector(".said-form");
  for (const [name, value] of typed) if (name !== "version" && elements[name]) elements[name].value = value;
  const asked = elements.class_code.value === row.dataset.class || !elements.why ? elements.words : elements.why;
  (asked || elements.class_code).focus();
  return null;
}

async function heard() {
  const row = ask();
  if (!row) return;
  row.querySelector("audio")?.pause();
  const next = rows()[rows().indexOf(row) + 1];
  if (!("heard" in row.dataset) && !(await send(row, "heard", {}))) return;
  if (next?.isConnected) aim(next);
  else step(1);
}

function openForm(code = "") {
  const row = ask();
  const box = row?.querySelector("details.step");
  if (!box) return;
  box.open = true;
  const chosen = box.querySelector("[name=class_code]");
  if (code) chosen.value = code;
  chosen.dispatchEvent(new Event("change", { bubbles: true }));
  const why = code && box.querySelector("[name=why]");
  (why || (chosen.value && box.querySelector("[name=department]")) || chosen).focus();
  box.scrollIntoView({ block: "nearest" });
}

async function classify(code, label) {
  const row = ask();
  if (!row) return;
  const known = row.dataset.class;
  if (known !== undefined && known !== code) {
    openForm(code); // another class than was said before needs a reason
    return;
  }
  if (code !== "0") row.dataset.busy = ""; // it stays until one goes on: it may have to be passed on
  if (!(await send(row, "class", { class_code: code, version: row.dataset.version }))) return;
  toast(code === "0" ? t("已归为“%(class)s”。", { class: label }) : t("已归为“%(class)s”，要转部门请按 T。", { class: label }));
  if (code === "0") step(1);
}

const bar = byId("review-bar");
const deeds = { play, heard, next: () => step(1), before: () => step(-1), form: () => openForm() };
const keys = { " ": play, h: heard, j: deeds.next, k: deeds.before, t: deeds.form, arrowdown: deeds.next, arrowup: deeds.before };

bar.hidden = rows().length === 0;
bar.addEventListener("mousedown", (event) => event.preventDefault()); // the row keeps the focus
bar.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.do) deeds[button.dataset.do]();
  else classify(button.dataset.class, button.firstChild.textContent.trim());
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (event.key === "Escape" && rowOf(event.target)?.querySelector("details[open]")) {
    rowOf(event.target).querySelector("details[open]").open = false;
    aim(rowOf(event.target));
    return;
  }
  if (isTyping(event.target)) return;
  const presses = event.target.closest?.("a, button, summary");
  if (event.key === " " && presses) return; // the key belongs to what is focused
  const run = keys[event.key.toLowerCase()];
  const button = run ? null : bar.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!run && !button) return;
  event.preventDefault();
  if (run) run();
  else button.click();
});

document.addEventListener("play", (event) => rowOf(event.target) && aim(rowOf(event.target), { focus: false }), { capture: true });
document.addEventListener("focusin", (event) => {
  const row = rowOf(event.target);
  if (row && row.dataset.said !== current) aim(row, { focus: false });
});
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form.said-form");
  const to = form?.elements.department;
  if (event.target.name !== "class_code" || !to || to.dataset.chosen) return;
  to.value = event.target.selectedOptions[0]?.dataset.department || "";
});
document.addEventListener("input", (event) => {
  if (event.target.name === "department") event.target.dataset.chosen = "yes";
});
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-review]");
  if (!form) return;
  event.preventDefault();
  const row = rowOf(form);
  aim(row, { focus: false });
  const name = new URL(form.action).pathname.split("/").pop();
  const done = await send(row, name, Object.fromEntries(new FormData(form)));
  if (!done) return;
  if (done === "ticket") toast(t("已转给部门。"));
  if (done === "text") toast(t("文字已改好。"));
  row.focus({ preventScroll: true });
});

keepFresh(list(), () => {
  bar.hidden = rows().length === 0;
  const focused = list().contains(document.activeElement);
  const row = here() || (current ? rows()[Math.min(place, rows().length - 1)] : null);
  aim(row || null, { focus: Boolean(row) && !focused && document.activeElement === document.body });
});
