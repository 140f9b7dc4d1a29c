// The page of one callback: fresh, and with its questions as soon as the customer has answered.
import { begin } from "./callback_runner.js";
import { keepFresh } from "./case_live.js";
import { byId } from "./dom.js";
import "./page.js";

function look(facts) {
  const { status, attempt } = facts.dataset;
  if (status === "talking" && attempt && !document.querySelector("#runner[data-talk]:not([data-ended])")) begin(attempt);
}

keepFresh(byId("task-facts"), look);
look(byId("task-facts"));
