// The bell in the top bar: how many notices are unread, told live on every page.
import { byId, setData, setText } from "./dom.js";
import { openShared, readAlong } from "./live.js";
import { toast } from "./page.js";
import { t } from "./texts.js";

const bell = byId("bell");
const seen = new Set();
let first = true;

/** Draw the bell; an urgent notice that has just come is also said. */
function draw({ unread, more, newest }) {
  const count = more ? "99+" : String(unread);
  setText(byId("bell-count"), unread ? count : "");
  setData(bell, "unread", unread ? "yes" : null);
  const urgent = newest.some((notice) => notice.severity === "urgent");
  setData(bell, "severity", urgent ? "urgent" : null);
  bell.setAttribute("aria-label", unread ? t("通知，%(count)s 条未读", { count }) : t("通知，没有未读"));
  const arrived = newest.filter((notice) => !seen.has(notice.notice_id));
  for (const notice of newest) seen.add(notice.notice_id);
  const loud = arrived.find((notice) => notice.severity === "urgent");
  if (!first && loud) toast(loud.title);
  if (!first && arrived.length) document.dispatchEvent(new CustomEvent("notices-arrived"));
  first = false;
}

if (bell) {
  readAlong("notices", { notices: draw });
  // The page's own script runs before this: where it has opened a connection, the bell reads along.
  document.addEventListener("DOMContentLoaded", openShared);
}
