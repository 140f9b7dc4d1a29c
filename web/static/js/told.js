// A supervisor's words on the agent's page: over the page, one after the other, until they are read.
import { byId, isTyping, setData, setText } from "./dom.js";
import { send } from "./page.js";
import { t } from "./texts.js";
import { timeOrDay } from "./clock.js";

let unread = [];

function draw() {
  const [first] = unread;
  setData(byId("told"), "shown", first ? "yes" : "no");
  if (!first) return;
  const more = unread.length > 1 ? [t("还有 %(n)s 条", { n: unread.length - 1 })] : [];
  setText(byId("told-by"), [`${first.by} ${timeOrDay(first.sent_at)}`, ...more].join(" · "));
  setText(byId("told-text"), first.text);
}

/** Read what is unread, after the server said that something changed. */
export async function lookTold() {
  const answer = await fetch("/api/v1/agent-messages/unread", { headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) return;
  unread = (await answer.json()).items;
  draw();
}

async function read() {
  const [first] = unread;
  if (!first) return;
  const answer = await send("POST", `/api/v1/agent-messages/${first.message_id}/read`).catch(() => null);
  if (answer) unread = answer.items;
  draw();
}

byId("told-read").addEventListener("click", read);
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
  if (unread.length && localStorage.getItem("hf.keys") !== "off") read();
});
