// What the forms that register cases share: the text to read back follows what is typed, fields come with what
// they belong to, another project reads the page again.
import { byId, setText } from "./dom.js";

/** Look after `form`; its draft is kept already. */
export function followForm(form) {
  const follow = () => {
    setText(byId("said"), byId("content").value.trim() || "…");
    for (const name of ["source", "route"]) {
      for (const field of document.querySelectorAll(`[data-if-${name}]`)) {
        field.hidden = form.elements[name].value !== field.getAttribute(`data-if-${name}`);
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
  follow();
}
