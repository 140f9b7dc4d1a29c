// What the forms that register cases share: the text to read back follows what is typed, fields come with what
// they belong to, another project reads the page again.
import { byId, setText } from "./dom.js";
import { ownPage } from "./own_page.js";

/** Look after `form`; its draft is kept already. */
export function followForm(form) {
  const follow = () => {
    setText(byId("said"), byId("content").value.trim() || "…");
    for (const name of ["source", "route"]) {
      for (const field of document.querySelectorAll(`[data-if-${name}]`)) {
        field.hidden = !field.getAttribute(`data-if-${name}`).split(" ").includes(form.elements[name].value);
      }
    }
  };
  for (const event of ["input", "change", "draft-restored"]) form.addEventListener(event, follow);
  const project = form.elements.project_id;
  if (project?.localName === "select") {
    project.addEventListener("change", () => {
      const url = new URL("/cases/new", window.location.href);
      url.searchParams.set("kind", form.action.endsWith("/repair") ? "repair" : "complaint");
      url.searchParams.set("customer", form.elements.customer_id.value);
      url.searchParams.set("project", project.value);
      if (form.elements.call_id.value) url.searchParams.set("call", form.elements.call_id.value);
      setTimeout(() => window.location.assign(url), 400); // the draft is kept by then
    });
  }
  for (const name of ["nature", "urgency"]) {
    form.elements[name].addEventListener("change", (event) => {
      event.target.dataset.chosen = "yes";
    });
  }
  follow();
  advise(form);
}

/** Choose what the words look like, unless somebody chose already; saving the form confirms it. */
function suggest(form, said) {
  if (!said) return;
  for (const name of ["nature", "urgency"]) {
    const field = form.elements[name];
    if (!field.dataset.chosen) field.value = said.dataset[name];
  }
  form.dispatchEvent(new Event("suggested"));
  setText(byId("nature-hint"), said.textContent.trim());
  said.remove();
}

const PAUSE_MS = 700;
const SHORTEST = 4;

/** Show what the knowledge base says about what is being written, once the typing pauses. */
function advise(form) {
  const box = byId("advice");
  let timer = 0;
  let asked = "";
  const ask = async () => {
    const text = byId("content").value.trim();
    const kind = form.querySelector("[data-part=kind]")?.value || "";
    const query = new URLSearchParams({ text, kind });
    if (text.length < SHORTEST || query.toString() === asked) return;
    asked = query.toString();
    try {
      const signal = AbortSignal.timeout(5_000);
      const found = await ownPage("/cases/new/advice", { method: "POST", body: query, signal });
      if (!found || query.toString() !== asked) return;
      suggest(form, found.body.querySelector("[data-nature]"));
      box.replaceChildren(...found.body.childNodes);
      box.hidden = !box.querySelector("li");
    } catch {
      // advice is only advice: the form works without
    }
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  };
  for (const event of ["input", "change", "draft-restored"]) form.addEventListener(event, wait);
  if (byId("content").value) wait();
}
