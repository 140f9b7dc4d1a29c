// A page of the office: forms that keep what is typed, limits that tick, pads to sign on, sums, fresh lists.
import "./case_due.js";
import { tendForms } from "./case_form.js";
import { keepFresh } from "./case_live.js";
import { tendCosts } from "./office_cost.js";
import "./office_photos.js";
import { tendPads } from "./office_sign.js";
import { tendSums } from "./office_sum.js";
import "./page.js";

function tend(root = document) {
  tendPads(root);
  tendForms(root);
  tendSums(root);
  tendCosts(root);
}

tend();
const root = document.querySelector("[data-live-cases], [data-live-list]");
if (root) keepFresh(root, tend);
