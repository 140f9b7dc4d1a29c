// The page of one case.
import "./case_due.js";
import { tendForms } from "./case_form.js";
import { keepFresh } from "./case_live.js";
import "./page.js";

tendForms();
const root = document.getElementById("case");
if (root) keepFresh(root, tendForms);
