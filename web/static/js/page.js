// What every page has: menus that close, messages, calls to the server.
import { byId, pageData, setData, setText } from "./dom.js";
import { t } from "./texts.js";

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Steps that open below their name: opened by hand, the first field is ready to be filled in; Escape closes.
const STEP = "details.step, details.campaign-step";
document.addEventListener("toggle", (event) => {
  const box = event.target;
  if (!box.open || !box.matches(STEP) || box.querySelector("summary") !== document.activeElement) return;
  box.querySelector("textarea, select, input:not([type=hidden]):not([type=checkbox])")?.focus();
}, true);
document.addEventListener("keydown", (event) => {
  const box = event.key === "Escape" ? event.target.closest?.(STEP) : null;
  if (!box?.open) return;
  box.open = false;
  box.querySelector("summary").focus();
});

// On a narrow screen the bar of pages scrolls: the page one is on is in sight.
const bar = document.querySelector(".top > nav");
const here = bar?.querySelector("[aria-current]");
if (here) bar.scrollLeft = here.offsetLeft - bar.offsetLeft - (bar.clientWidth - here.offsetWidth) / 2;

const problems = pageData("page").labels?.problems || {};
let toastTimer = 0;

/** Show a short message; errors stay longer. */
export function toast(text, kind = "note") {
  const box = byId("toast");
  setText(box, text);
  setData(box, "kind", kind);
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, kind === "error" ? 7000 : 3500);
}

/** Show (or with `null` remove) the banner under the top bar. `action`: {label, run}. */
export function banner(kind, text = "", action = null) {
  const box = byId("banner");
  setData(box, "kind", kind);
  setText(box, kind ? text : "");
  if (kind && action) {
    const button = document.createElement("button");
    button.className = "button compact";
    button.textContent = action.label;
    button.addEventListener("click", action.run);
    box.append(button);
  }
}

/**
 * The session has ended: go and sign in, and come back here. What was typed is kept. Nobody is torn out of a
 * conversation: then it is told, and the agent goes when it is over.
 */
export function toSignIn(place = "/sign-in") {
  const here = `${location.pathname}${location.search}`;
  const go = () => location.assign(`${place}?${new URLSearchParams({ ended: "yes", next: here })}`);
  if (document.getElementById("phone")?.dataset.call !== "talking") go();
  else banner("stale", t("登录已过期，通话不会断。说完以后请重新登录，写下的内容都在。"), { label: t("重新登录"), run: go });
}

/** Send JSON; returns the answer. Throws an Error with a text for people when the server refuses. */
export async function send(method, url, body, { keepalive = false, quiet = false, headers = {} } = {}) {
  let answer;
  try {
    answer = await fetch(url, {
      method,
      keepalive,
      headers: { "Content-Type": "application/json", Accept: "application/json", ...headers },
      body: JSON.stringify(body ?? {}),
      signal: keepalive ? undefined : AbortSignal.timeout(10_000),
    });
  } catch {
    throw failure(t("连不上服务器，请稍后再试。"), quiet);
  }
  if (answer.status === 401) {
    toSignIn();
    throw failure(t("登录已过期，请重新登录。"), quiet);
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw failure(problems[problem.code] || t("服务器没有完成这个操作，请再试一次。"), quiet, answer.status, problem);
  }
  return answer.status === 204 ? null : answer.json();
}

function failure(text, quiet, status = 0, problem = {}) {
  if (!quiet) toast(text, "error");
  const error = new Error(text);
  error.status = status;
  error.code = problem.code || "";
  error.problem = problem;
  return error;
}
