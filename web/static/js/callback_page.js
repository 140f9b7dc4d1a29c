// The page of one callback: fresh, and with its questions as soon as the customer has answered.
import { begin } from "./callback_runner.js";
import { keepFresh } from "./case_live.js";
import { byId } from "./dom.js";
import "./page.js";

function look(facts) {
  const { status, attempt } = facts.dataset;
  // The questions of another call, left open, do not stand in the way of this one's.
  const shown = document.querySelector("#runner[data-talk]")?.dataset.call;
  begin(status === "talking" && attempt && shown !== attempt ? attempt : "");
}

keepFresh(byId("task-facts"), look);
look(byId("task-facts"));
