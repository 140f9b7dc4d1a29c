// Registering a repair.
import { keepDraft } from "./case_draft.js";
import "./case_form.js";
import { followForm } from "./case_known.js";
import { byId } from "./dom.js";
import "./page.js";

const form = byId("new-case");
form.dataset.tended = "yes";
keepDraft(form);
followForm(form);
