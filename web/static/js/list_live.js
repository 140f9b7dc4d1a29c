// Lists of people, projects and figures: fresh, whoever changes them.
import { keepFresh } from "./case_live.js";
import "./page.js";

const root = document.querySelector("[data-live-list]");
if (root) keepFresh(root, (part) => window.htmx?.process(part));
