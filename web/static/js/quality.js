// Judging a call: moments of the recording, the sum while one writes, drafts kept at the server.
import { forgetSent, keepDraft } from "./case_draft.js";
import { byId, el, setText } from "./dom.js";
import { hear, momentOf } from "./recording.js";
import "./page.js";
import { t } from "./texts.js";

const WAIT = 800;
const form = byId("sheet");
const moments = byId("moments");
const open = moments.dataset.open === "yes";
forgetSent();

const clock = (at) => `${Math.floor(at / 60)}:${String(Math.floor(at % 60)).padStart(2, "0")}`;
const written = () => [...moments.children].map((one) => `${one.dataset.at}\t${one.dataset.code}\t${one.querySelector("span").textContent}`).join("\n");

moments.addEventListener("click", (event) => {
  const moment = event.target.closest("[data-moment]");
  if (moment) hear(Number(moment.dataset.moment));
  if (event.target.closest("[data-remove]")) {
    event.target.closest("li").remove();
    changed();
  }
});

function removable(line) {
  line.append(el("button", { type: "button", class: "button compact", dataset: { remove: "" } }, t("去掉")));
}

/** What is said so far: earned and possible points, `null` where something is missing. */
function total() {
  let earned = 0;
  let possible = 0;
  let missing = 0;
  for (const one of form.querySelectorAll(".criterion")) {
    const na = one.querySelector(".na:checked, [value=na]:checked");
    if (na) continue;
    const number = one.querySelector("[type=number]");
    const most = Number(number?.max ?? one.querySelector("[type=radio]").value);
    const given = number ? number.value : one.querySelector("[type=radio]:checked")?.value ?? "";
    possible += most;
    if (given === "") missing += 1;
    else earned += Number(given);
  }
  const fatal = form.querySelector(".fatal :checked");
  return { percent: fatal || !possible ? 0 : Math.round((1000 * earned) / possible) / 10, missing };
}

function shown() {
  const sum = byId("total");
  if (!sum) return;
  const { percent, missing } = total();
  setText(sum, missing ? t("还差 %(n)s 项", { n: missing }) : String(percent));
}

let timer = 0;
let saving = Promise.resolve();
let changed = () => {};

if (open) {
  for (const line of moments.children) removable(line);
  const marks = byId("marks");
  marks.value = written();
  keepDraft(form);
  // A draft of this window's may hold moments that the server has not.
  const save = async () => {
    const saved = byId("saved");
    try {
      const answer = await fetch(form.dataset.save, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } });
      if (answer.status === 409) throw new Error(t("同事刚刚改过，请刷新后再写。"));
      if (!answer.ok) throw new Error(t("还没有保存，请检查填写的内容。"));
      form.elements.version.value = (await answer.json()).version;
      setText(saved, t("草稿已保存"));
    } catch (error) {
      setText(saved, error instanceof TypeError ? t("还没有保存，网络恢复后会再试。") : error.message);
    }
  };
  changed = () => {
    marks.value = written();
    shown();
    if (!form.dataset.save) return;
    clearTimeout(timer);
    timer = setTimeout(() => { saving = saving.then(save); }, WAIT);
  };
  form.addEventListener("input", (event) => {
    const row = event.target.closest(".criterion");
    const na = row?.querySelector(".na");
    const number = row?.querySelector("[type=number]");
    if (na && event.target === number && number.value !== "") na.checked = false;
    if (na && event.target === na && na.checked) number.value = "";
    changed();
  });
  // The draft that is on its way has a version: the last word waits for it.
  form.addEventListener("submit", async (event) => {
    if (form.dataset.ready) return;
    event.preventDefault();
    const button = event.submitter;
    clearTimeout(timer);
    await saving;
    marks.value = written();
    form.dataset.ready = "yes";
    // Later: while the event of a submission is being told, a form takes no other.
    setTimeout(() => form.requestSubmit(button));
  });
  const mark = (code = "", label = "") => {
    const audio = [...document.querySelectorAll(".recording audio")].find((one) => one.currentTime > 0) ?? document.querySelector(".recording audio");
    const at = Math.round(10 * (momentOf(audio) ?? 0)) / 10;
    const text = byId("mark-text");
    const line = el("li", { dataset: { at: String(at), code } },
      el("button", { type: "button", class: "button compact num", dataset: { moment: String(at) } }, clock(at)), " ",
      label ? el("b", { class: "small" }, label) : "", " ",
      el("span", { class: "wrap" }, text.value.trim()));
    removable(line);
    moments.append(line);
    text.value = "";
    changed();
  };
  byId("mark")?.addEventListener("click", () => mark());
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button.at");
    if (button) mark(button.dataset.code, button.dataset.label);
  });
  byId("mark-text")?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    byId("mark").click();
  });
  shown();
}
