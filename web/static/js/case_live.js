// Pages that show cases and lists hear what changed, and read themselves again: without losing the focus, what is
// open, the scroll, or anything typed.
import { isDirty } from "./case_draft.js";
import { isTyping } from "./dom.js";
import { openWhileSeen } from "./live.js";
import { ownPage } from "./own_page.js";
import { banner } from "./page.js";
import { t } from "./texts.js";

const GATHER_MS = 350;

/**
 * Keep the part `first` of the page fresh; it is found again by its id. `drawn(root)` is called after each change.
 *
 * `data-live-cases`: `all`, or the case of `data-case` and those shown in it; `data-live-list`: names of lists;
 * `data-live-keys`: ids whose rows alone matter; `data-live-gap`: seconds between two reads of a heavy page.
 */
export function keepFresh(first, drawn = () => {}) {
  const { liveCases, liveGap = "0", liveKeys = "", liveList = "" } = first.dataset;
  const lists = liveList.split(" ").filter(Boolean);
  const keys = liveKeys.split(" ").filter(Boolean);
  const here = () => document.getElementById(first.id);
  let timer = 0;
  let read = Date.now();
  let owed = false;
  if (document.querySelector("[role=alert][data-first], .form-error[role=alert], .field-error[role=alert]")) return; // somebody is putting a form right

  const shows = (cases) => liveCases === "all" || cases.some((id) => here().dataset.case === id || here().querySelector(`[data-case="${CSS.escape(id)}"]`));
  const touched = new WeakSet(); // forms that somebody, not the browser's memory, has written in
  const note = (event) => event.target.form && touched.add(event.target.form);
  const busy = () => {
    const root = here();
    if ([...root.querySelectorAll("audio")].some((player) => !player.paused && !player.ended)) return true;
    if (root.querySelector("[data-busy]")) return true; // somebody is about to do more with it
    return (root.contains(document.activeElement) && isTyping(document.activeElement)) || [...root.querySelectorAll("form:not([data-draft])")].some((form) => touched.has(form) && written(form));
  };

  async function refresh() {
    timer = 0;
    if (!here()) return;
    if (busy() && !here().querySelector("[data-always]")) {
      owed = true;
      return;
    }
    owed = false;
    const mine = (read = Date.now());
    let page;
    try {
      page = await ownPage(here().dataset.src || window.location.pathname + window.location.search);
    } catch {
      return; // no network: the live connection says so, and comes back with everything
    }
    const fresh = page?.getElementById(first.id);
    if (!fresh || !here() || mine !== read) return; // another read began after this one, and knows more
    if (busy()) {
      owed = true; // but for what nobody writes in, such as a call in progress
      for (const part of here().querySelectorAll("[data-always][id]")) {
        const now = fresh.querySelector(`#${CSS.escape(part.id)}`);
        if (now && !part.contains(document.activeElement) && plain(part) !== plain(now)) part.replaceWith(now);
      }
      return;
    }
    if (replace(here(), fresh)) drawn(here());
  }

  // Whoever waits is not put off by what comes meanwhile: where much happens, nobody would ever see it.
  const schedule = () => {
    timer ||= setTimeout(refresh, Math.max(GATHER_MS, read + Number(liveGap) * 1000 - Date.now()));
  };
  const pay = () => setTimeout(() => owed && here() && !busy() && schedule(), 0);

  document.addEventListener("input", note);
  document.addEventListener("change", note);
  document.addEventListener("focusout", pay);
  document.addEventListener("input", pay);
  document.addEventListener("reset", pay);
  for (const name of ["pause", "ended"]) document.addEventListener(name, pay, { capture: true }); // they do not bubble
  openWhileSeen({
    topics: [...(liveCases === undefined ? [] : ["cases"]), ...lists.map((name) => `list:${name}`)],
    handlers: {
      cases: ({ all, cases }) => {
        if (all || shows(cases)) schedule();
      },
      list: ({ name, keys: changed }) => {
        if (lists.includes(name) && (!changed.length || !keys.length || changed.some((key) => keys.includes(key)))) schedule();
      },
    },
    onStatus: (status) => {
      if (status === "stale") banner("stale", t("与服务器的连接断了，画面可能已过时，正在重连…"));
      else banner(null);
    },
  });
}

/** True when somebody has put something into a form that keeps no draft. */
const written = (form) => [...form.elements].some((field) => {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.localName === "select") {
    const chosen = [...field.options].findIndex((option) => option.defaultSelected);
    return field.selectedIndex !== Math.max(0, chosen);
  }
  return field.type !== "hidden" && "defaultValue" in field && field.value !== field.defaultValue;
});

const plain = (node) => {
  const copy = node.cloneNode(true);
  for (const due of copy.querySelectorAll("[data-left]")) due.textContent = "";
  for (const due of copy.querySelectorAll("[data-due]")) due.removeAttribute("data-tone");
  for (const own of copy.querySelectorAll("[data-own], [data-as-of]")) own.replaceWith(); // told apart, or drawn here
  for (const details of copy.querySelectorAll("details")) details.removeAttribute("open");
  for (const row of copy.querySelectorAll("[data-said][aria-current]")) row.removeAttribute("aria-current");
  for (const form of copy.querySelectorAll("form")) {
    delete form.dataset.tended;
    for (const name of ["seen"]) form.querySelector(`[name=${name}]`)?.remove();
  }
  const text = new XMLSerializer().serializeToString(copy);
  return text.replace(/data-(amber|red)="[^"]*"/g, "").replace(/ class="htmx[^"]*"/g, "").replace(/\s+/g, " ");
};

/** What tells a part from its like on the page before and after: its id, or where it leads and what it says. */
const nameOf = (node) => {
  if (node.id) return `#${node.id}`;
  const form = node.localName === "details" ? node.querySelector("form") : node.form;
  const hidden = form ? [...form.querySelectorAll("input[type=hidden]:not([name=version])")].map((field) => field.value) : [];
  const said = node.localName === "details" ? node.querySelector("summary")?.textContent : node.textContent;
  return [node.localName, node.getAttribute("href"), node.name, node.value, form?.getAttribute("action"), ...hidden, said?.trim()].join("|");
};

/** Put `fresh` in place of what `root` shows; forms that somebody writes in stay as they are. */
function replace(root, fresh) {
  for (const told of root.querySelectorAll("[data-as-of]")) {
    const now = fresh.querySelector("[data-as-of]");
    if (now) told.textContent = now.textContent;
  }
  if (plain(root) === plain(fresh)) return false;
  const focused = root.contains(document.activeElement) ? nameOf(document.activeElement) : "";
  const open = new Set([...root.querySelectorAll("details[open]")].map(nameOf));
  const scrolled = [...root.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
  const signed = (form) => form.querySelector("[data-signed=yes]") !== null;
  const kept = [...root.querySelectorAll("form[data-draft]")].filter((form) => isDirty(form) || signed(form));
  for (const form of kept) {
    const place = form.id && fresh.querySelector(`#${CSS.escape(form.id)}`);
    if (place) place.replaceWith(form); // with its version: saving will show what has changed meanwhile
  }
  for (const player of root.querySelectorAll("audio")) {
    const own = player.currentTime > 0 && [...fresh.querySelectorAll("audio")].find((one) => one.getAttribute("src") === player.getAttribute("src"));
    if (own) own.replaceWith(player); // paused in the middle, it goes on from there
  }
  const told = (node) => node.getAttributeNames().filter((name) => name.startsWith("data-"));
  for (const name of told(root)) if (!fresh.hasAttribute(name)) root.removeAttribute(name);
  for (const name of told(fresh)) root.setAttribute(name, fresh.getAttribute(name)); // what it says of itself
  root.replaceChildren(...fresh.childNodes);
  for (const box of root.querySelectorAll("details")) if (open.has(nameOf(box))) box.open = true;
  root.querySelectorAll(".scroll").forEach((box, n) => scrolled[n] && box.scrollTo(...scrolled[n]));
  if (focused) [...root.querySelectorAll("a, button, input, select, textarea, summary, [tabindex]")].find((one) => nameOf(one) === focused)?.focus({ preventScroll: true });
  return true;
}
