// Imports as they go: the bar moves with the server's news, and the page is read again when a state changes.
import { setText } from "./dom.js";
import { openLive } from "./live.js";
import { ownPage } from "./own_page.js";
import { banner } from "./page.js";
import { t } from "./texts.js";

const root = document.querySelector("[data-live-import]");
const mine = root?.dataset.liveImport;
let reading = false;
let owed = false;

async function refresh() {
  if (reading) {
    owed = true;
    return;
  }
  reading = true;
  try {
    const fresh = (await ownPage(window.location.pathname))?.getElementById(root.id);
    if (fresh && !fresh.isEqualNode(root)) {
      const focused = document.activeElement?.id;
      root.dataset.state = fresh.dataset.state || "";
      root.replaceChildren(...fresh.childNodes);
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    }
  } catch {
    // no network: the live connection says so, and comes back with everything
  } finally {
    reading = false;
    if (owed) {
      owed = false;
      refresh();
    }
  }
}

function move({ step, done, total }) {
  const words = document.getElementById("step");
  const bar = document.getElementById("progress");
  if (!words || !bar) return;
  const known = JSON.parse(words.dataset.stepWords);
  if (known[step]) setText(words, known[step]);
  setText(document.getElementById("so-far"), `${done} / ${total || "…"}`);
  if (total) bar.value = Math.round((100 * done) / total);
  else bar.removeAttribute("value");
}

if (root) {
  const seen = new Map();
  openLive({
    topics: ["imports"],
    handlers: {
      imports: ({ all, job }) => {
        if (all) {
          refresh();
          return;
        }
        if (mine === "all") {
          if (seen.get(job.job_id) !== job.state) refresh();
          seen.set(job.job_id, job.state);
        } else if (job.job_id === mine) {
          if (root.dataset.state === job.state) move(job);
          else refresh();
        }
      },
    },
    onStatus: (status) => {
      if (status === "stale") banner("stale", t("与服务器的连接断了，画面可能已过时，正在重连…"));
      else banner(null);
    },
  });
}
