// Beside the live text: what was found in it, and what one key does with it. Forms open beside this page, so that
// nothing typed here is lost; all of it is strangers' words and goes in as text.
import { byId, el, fill, setText } from "./dom.js";
import { markWords } from "./words_pane.js";
import { t } from "./texts.js";

const GATHER_MS = 150;
const WAIT_MS = 8_000;
const MOST = 9;

let pop = null;
let shown = null; // what the server found in the call that is shown
let timer = 0;
let round = 0;

/** Show what was found in the call of `next`, and in no other. */
export function aimHeard(next) {
  const other = next?.call_id !== pop?.call_id;
  pop = next;
  if (!other) return draw();
  shown = null;
  draw();
  if (pop && pop.phase !== "ringing") soon();
}

/** Take that something was found in the calls `keys`, or in any. */
export function heardMore({ name, keys }) {
  if (name === "suggestions" && pop && (!keys.length || keys.includes(pop.call_id))) soon();
}

/** Do what the key `number` stands for; return whether it stands for something. */
export function pickHeard(number) {
  const act = shown?.acts.slice(0, MOST)[number - 1];
  if (!act || byId("heard").hidden) return false;
  window.open(addressOf(act), "_blank", "noopener");
  return true;
}

function soon() {
  timer ||= setTimeout(read, GATHER_MS);
}

async function read() {
  timer = 0;
  const wanted = pop?.call_id;
  const mine = (round += 1);
  if (!wanted) return;
  let found;
  try {
    const answer = await fetch(`/agent/heard?${new URLSearchParams({ call: wanted })}`, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(WAIT_MS) });
    if (!answer.ok) return;
    found = await answer.json();
  } catch {
    return; // the live connection says that there is no network, and tells again when there is
  }
  if (mine !== round || pop?.call_id !== found.call_id) return;
  shown = found;
  draw();
}

/** Where something is done: the form of the page's own link, which knows the customer, with what was heard in it. */
function addressOf(act) {
  const known = new URLSearchParams([["call", pop.call_id]]);
  if (act.do === "refusal") return `/do-not-call?${known}#do-not-call`;
  const repair = act.do === "visit" && openRepair();
  if (repair) return `/cases/${encodeURIComponent(repair.case_id)}?${known}`;
  const link = byId(act.do === "complaint" ? "new-complaint" : "new-repair");
  return `${link.getAttribute("href")}&take=1`;
}

function openRepair() {
  const customer = pop.customers?.find((one) => one.customer_id === pop.chosen);
  const repairs = (customer?.open_cases || []).filter((one) => one.kind === "repair");
  return repairs.length === 1 ? repairs[0] : null;
}

const names = {
  complaint: () => t("登记投诉，填好听到的"),
  repair: () => t("登记报修，填好听到的"),
  refusal: () => t("登记勿扰"),
  visit: (act) => t("约上门 %(when)s", { when: act.when }),
};

function draw() {
  const box = byId("heard");
  const any = pop && shown && (shown.lights.length || shown.acts.length || shown.articles.length);
  box.hidden = !any;
  if (!any) return;
  const text = JSON.stringify(shown);
  if (box.dataset.drawn === text) return;
  box.dataset.drawn = text;
  markWords(shown.marks);
  fill(byId("heard-lights"), shown.lights.map((light) => el("li", {},
    el("span", { class: "chip", dataset: { tone: light.grave ? "brick" : tones[light.kind] || "" }, title: light.quote }, `${light.name}\uff1a${light.label}`))));
  fill(byId("heard-acts"), shown.acts.slice(0, MOST).map((act, place) => {
    const button = el("button", { class: "heard-act", type: "button", dataset: { do: act.do }, "aria-keyshortcuts": `Alt+${place + 1}`, on: { click: () => pickHeard(place + 1) } },
      el("kbd", {}, `Alt+${place + 1}`), " ", el("b", {}, names[act.do]?.(act) || act.do));
    const form = act.do === "complaint" || act.do === "repair"; // what would stand in it, not what somebody said
    return el("li", {}, button, el(form ? "span" : "q", { class: "muted small wrap" }, act.quote));
  }));
  fill(byId("heard-articles"), shown.articles.map((one) => el("li", {},
    el("a", { href: one.href, target: "_blank", rel: "noopener" }, one.question), el("p", { class: "muted small two-lines" }, one.answer))));
}

const tones = { urgency: "amber", severity: "amber", refusal: "amber", topic: "blue", item: "blue", place: "blue", wish: "blue", promise: "green", appointment: "green" };
