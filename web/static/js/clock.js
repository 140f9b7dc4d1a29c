// Time on the page: the server's clock, the centre's time zone, and figures that tick.
import { setData, setText } from "./dom.js";

const zone = document.body.dataset.zone || "Asia/Shanghai";
const language = document.documentElement.lang || "zh-CN";

let skew = 0; // the server's clock minus the browser's, in milliseconds

/** Learn the server's clock from the time it just sent. */
export function learnServerTime(iso) {
  const measured = Date.parse(iso) - Date.now();
  if (Number.isFinite(measured) && Math.abs(measured - skew) > 250) skew = measured;
}

/** The server's time now, in milliseconds. */
export const now = () => Date.now() + skew;

/** 0:07, 12:03, 1:02:03 */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

const timeOnly = new Intl.DateTimeFormat(language, { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dayAndTime = new Intl.DateTimeFormat(language, { timeZone: zone, month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayOnly = new Intl.DateTimeFormat(language, { timeZone: zone, year: "numeric", month: "numeric", day: "numeric" });

export const clockTime = (iso) => (iso ? timeOnly.format(new Date(iso)) : "");
/** The time of something of today; of another day the date, too. */
export const timeOrDay = (iso) => (iso && date(iso) === dayOnly.format(new Date(now())) ? clockTime(iso) : dateTime(iso));
export const dateTime = (iso) => (iso ? dayAndTime.format(new Date(iso)) : "");
export const date = (iso) => (iso ? dayOnly.format(new Date(iso)) : "");

/** Let `node` count up from `since`; it turns late after `lateAfter` seconds. `null` stops and empties it. */
export function tickFrom(node, since, lateAfter = null) {
  setData(node, "since", since || null);
  setData(node, "lateAfter", lateAfter);
  if (since) draw(node);
  else {
    setText(node, "");
    node.classList.remove("late");
  }
}

function draw(node) {
  const seconds = (now() - Date.parse(node.dataset.since)) / 1000;
  setText(node, duration(seconds));
  if (node.dataset.lateAfter) node.classList.toggle("late", seconds > Number(node.dataset.lateAfter));
}

const listeners = new Set();

/** Call `listener` once a second, with the ticking figures. */
export const everySecond = (listener) => listeners.add(listener);

setInterval(() => {
  for (const node of document.querySelectorAll("[data-since]")) draw(node);
  for (const listener of listeners) listener();
}, 1000);
