// Pages that show cases hear which ones changed, and read themselves again: without losing the focus, what is
// open, the scroll, or anything typed.
import { isDirty } from "./case_draft.js";
import { isTyping } from "./dom.js";
import { openLive } from "./live.js";
import { ownPage } from "./own_page.js";
import { banner } from "./page.js";
import { t } from "./texts.js";

const GATHER_MS = 350;

/** Keep the part `root` of the page fresh. `drawn(root)` is called after each change. */
export function keepFresh(root, drawn = () => {}) {
  const everything = root.dataset.liveCases === "all";
  let timer = 0;
  let owed = false;
  if (document.querySelector("[role=alert][data-first]")) return; // somebody is putting a form right

  const shows = (cases) => everything || cases.some((id) => root.dataset.case === id || root.querySelector(`[data-case="${CSS.escape(id)}"]`));
  const busy = () => root.contains(document.activeElement) && isTyping(document.activeElement);

  async function refresh() {
    if (busy()) {
      owed = true;
      return;
    }
    owed = false;
    let page;
    try {
      page = await ownPage(root.dataset.src || window.location.pathname + window.location.search);
    } catch {
      return; // no network: the live connection says so, and comes back with everything
    }
    const fresh = page?.getElementById(root.id);
    if (!fresh) return;
    if (busy()) {
      owed = true;
      return;
    }
    replace(root, fresh);
    drawn(root);
  }

  const schedule = () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, GATHER_MS);
  };

  root.addEventListener("focusout", () => setTimeout(() => owed && !busy() && schedule(), 0));
  openLive({
    topics: ["cases"],
    handlers: {
      cases: ({ all, cases }) => {
        if (all || shows(cases)) schedule();
      },
    },
    onStatus: (status) => {
      if (status === "stale") banner("stale", t("与服务器的连接断了，画面可能已过时，正在重连…"));
      else banner(null);
    },
  });
}

const plain = (node) => {
  const copy = node.cloneNode(true);
  for (const due of copy.querySelectorAll("[data-left]")) due.textContent = "";
  for (const due of copy.querySelectorAll("[data-due]")) due.removeAttribute("data-tone");
  for (const own of copy.querySelectorAll("[data-own]")) own.replaceWith(); // what the browser draws itself
  for (const details of copy.querySelectorAll("details")) details.removeAttribute("open");
  for (const form of copy.querySelectorAll("form")) {
    delete form.dataset.tended;
    for (const name of ["seen"]) form.querySelector(`[name=${name}]`)?.remove();
  }
  const text = new XMLSerializer().serializeToString(copy);
  return text.replace(/data-(amber|red)="[^"]*"/g, "").replace(/\s+/g, " ");
};

/** Put `fresh` in place of what `root` shows; forms that somebody writes in stay as they are. */
function replace(root, fresh) {
  if (plain(root) === plain(fresh)) return;
  const focused = document.activeElement?.id;
  const open = [...root.querySelectorAll("details[open][id]")].map((box) => box.id);
  const signed = (form) => form.querySelector("[data-signed=yes]") !== null;
  const written = [...root.querySelectorAll("form[data-draft]")].filter((form) => isDirty(form) || signed(form));
  for (const form of written) {
    const place = form.id && fresh.querySelector(`#${CSS.escape(form.id)}`);
    if (place) place.replaceWith(form); // with its version: saving will show what has changed meanwhile
  }
  root.replaceChildren(...fresh.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}
