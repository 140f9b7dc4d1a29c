// Flows: the text is checked and drawn while it is written; prompts can be heard; how far a publication is.
import { forgetSent, keepDraft } from "./case_draft.js";
import { byId, setText } from "./dom.js";
import { ownPage } from "./own_page.js";
import { toast } from "./page.js";
import { recordPrompts } from "./prompt_record.js";
import { t } from "./texts.js";

const WAIT = 600;
const LOOK = 1000;

const page = document.querySelector("[data-flow]");
const text = byId("text");
const editor = byId("editor");
forgetSent();

const post = (path, fields) => fetch(`/flows/${page.dataset.flow}/${path}`, {
  method: "POST", body: new URLSearchParams(fields), headers: { Accept: "text/html, audio/wav" },
});

// The picture: whole in the width of the page, or as large as it is drawn.
const whole = byId("whole");
let shrunk = false;
const fit = () => {
  const drawing = document.querySelector(".drawing");
  if (!drawing) return;
  drawing.toggleAttribute("data-whole", shrunk);
  if (!shrunk) {
    const start = drawing.querySelector("[data-start] rect");
    if (start) drawing.scrollLeft = Number(start.getAttribute("x")) - drawing.clientWidth / 2 + 80;
  }
};
if (whole) {
  whole.hidden = !document.querySelector(".drawing");
  whole.addEventListener("click", () => {
    shrunk = !shrunk;
    whole.setAttribute("aria-pressed", String(shrunk));
    fit();
  });
}

const linesShown = () => {
  for (const part of document.querySelectorAll(".to-line, .own-voice")) part.hidden = !text;
};
fit();
linesShown();

if (text) {
  const result = byId("result");
  let timer = 0;
  let asked = 0;

  const check = async () => {
    const mine = ++asked;
    let part = null;
    try {
      part = await ownPage(`/flows/${page.dataset.flow}/check`, { method: "POST", body: new URLSearchParams({ text: text.value }) });
      if (!part) throw new Error("refused");
    } catch {
      if (mine === asked) setText(byId("checked"), t("现在不能检查，发布时会再检查。"));
      return;
    }
    if (mine !== asked) return;
    const drawing = result.querySelector(".drawing");
    const at = drawing ? [drawing.scrollLeft, drawing.scrollTop] : null;
    result.replaceChildren(...part.body.childNodes);
    const drawn = result.querySelector(".drawing");
    setText(byId("checked"), drawn ? t("没有错误。") : "");
    if (whole) whole.hidden = !drawn;
    fit();
    if (at && drawn) [drawn.scrollLeft, drawn.scrollTop] = at;
    linesShown();
  };

  keepDraft(editor);
  if (editor.dataset.restored) {
    toast(t("已恢复您上次没有发布的修改。"));
    check();
  }
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, WAIT);
  });

  recordPrompts(result, async (prompt, wav) => {
    const form = new FormData();
    form.append("text", text.value);
    form.append("prompt", prompt);
    if (wav) form.append("sound", wav, "prompt.wav");
    const before = text.value;
    const answer = await fetch(`/flows/${page.dataset.flow}/record`, { method: "POST", body: form, headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error((await answer.json()).detail ?? answer.status);
    // Somebody wrote on meanwhile: the recording is kept, but it is named in a text that is no more.
    if (text.value !== before) throw new Error(t("全文刚刚又改了，请再录一次。"));
    text.value = (await answer.json()).text;
    text.dispatchEvent(new Event("input", { bubbles: true }));
    toast(wav ? t("录音已放进流程，发布以后来电就能听到。") : t("已改回合成语音，发布以后来电就能听到。"));
  });

  const goTo = (line) => {
    const lines = text.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, before) => sum + before.length + 1, 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
    text.scrollTop = Math.max(0, (text.scrollHeight / lines.length) * (line - 4));
  };
  result.addEventListener("click", (event) => {
    const line = Number(event.target.closest("[data-line]")?.dataset.line || 0);
    if (line) goTo(line);
  });
}

let playing = null;
let address = "";
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.hear");
  if (!button) return;
  playing?.pause();
  button.setAttribute("aria-busy", "true");
  try {
    const fields = { prompt: button.dataset.prompt };
    if (text) fields.text = text.value;
    else fields.version = page.dataset.version;
    const answer = await post("hear", fields);
    if (!answer.ok) throw new Error(answer.status);
    URL.revokeObjectURL(address);
    address = URL.createObjectURL(await answer.blob());
    playing = new Audio(address);
    await playing.play();
    button.dataset.heard = "yes";
  } catch (error) {
    if (error.name !== "AbortError") toast(t("现在没有可用的语音，暂时不能试听。"), "error");
  } finally {
    button.removeAttribute("aria-busy");
  }
});

const making = byId("making");
if (making && !making.hidden && making.querySelector("progress")) {
  const look = async () => {
    try {
      const state = await (await fetch(making.dataset.url, { headers: { Accept: "application/json" } })).json();
      if (state.ended) {
        window.location.reload();
        return;
      }
      const bar = making.querySelector("progress");
      bar.max = state.total;
      bar.value = state.done;
      setText(making.querySelector(".num"), `${state.done}/${state.total}`);
    } catch {
      // asked again in a moment
    }
    setTimeout(look, LOOK);
  };
  setTimeout(look, LOOK);
}

byId("new-flow")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  window.location.assign(`/flows/${form.code.value}/edit?${new URLSearchParams({ copy: form.copy.value })}`);
});
