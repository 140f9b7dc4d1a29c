// Questionnaires: the text is checked while it is written; prompts can be heard.
import { byId, el, fill, pageData, setText } from "./dom.js";
import { send, toast } from "./page.js";
import { t } from "./texts.js";

const WAIT = 600;

const text = byId("text");
if (text) {
  const list = byId("problems");
  const explanations = pageData("explanations");
  const told = (problem) =>
    explanations[problem.code]?.replace(/\{(\d)\}/g, (_, place) => problem.values[place] ?? "") ?? problem.message;
  let timer = 0;
  let asked = 0;

  const check = async () => {
    const mine = ++asked;
    let found;
    try {
      found = await send("POST", "/api/v1/questionnaires/check", { text: text.value }, { quiet: true });
    } catch {
      if (mine === asked) setText(byId("checked"), t("现在不能检查，保存时会再检查。"));
      return;
    }
    if (mine !== asked) return;
    setText(byId("checked"), found.problems.length ? "" : t("没有错误。"));
    fill(list, found.problems.map((problem) =>
      el("li", {},
        problem.line
          ? el("button", { type: "button", class: "button compact", dataset: { line: problem.line } },
            t("第 %(n)s 行").replace("%(n)s", problem.line))
          : el("span", { class: "chip" }, t("全文")),
        el("span", { class: "wrap", lang: problem.code ? null : "en" }, problem.item ? [el("b", {}, problem.item), " "] : "", told(problem)))));
  };

  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, WAIT);
  });

  const goTo = (line) => {
    if (!line) return;
    const lines = text.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, before) => sum + before.length + 1, 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
    text.scrollTop = Math.max(0, (text.scrollHeight / lines.length) * (line - 4));
  };

  list.addEventListener("click", (event) => goTo(Number(event.target.closest("[data-line]")?.dataset.line || 0)));
  goTo(Number(/^#L(\d{1,5})$/.exec(window.location.hash)?.[1] || 0));
}

let playing = null;
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.listen");
  if (!button) return;
  playing?.pause();
  playing = new Audio(button.dataset.src);
  try {
    await playing.play();
  } catch (error) {
    if (error.name !== "AbortError") toast(t("现在没有可用的语音，暂时不能试听。"), "error");
  }
});
