// The page of a call that goes on: what is said in it, as it is said.
import { pageData } from "./dom.js";
import { openWhileSeen } from "./live.js";
import { banner } from "./page.js";
import { t } from "./texts.js";
import { addWords, drawWords } from "./words_pane.js";

const { call_id: callId } = pageData("page");
openWhileSeen({
  topics: [`text:${callId}`],
  handlers: { text_all: drawWords, text: addWords },
  onStatus: (status) => {
    if (status === "stale") banner("stale", t("与服务器的连接断了，画面可能已过时，正在重连…"));
    else banner(null);
  },
});
