// A pad to sign on with a finger, a pen or the mouse. What is drawn goes into the form as lines of points of
// 0 to 4096; without a pad (or without hands for one) the PIN beside it does the same.
import { t } from "./texts.js";

const UNITS = 4096;
const MOST_POINTS = 3800;
const NEAR = 14; // units between two points that are kept

function tend(box) {
  const canvas = box.querySelector("canvas");
  const field = box.querySelector("input[type=hidden]");
  const state = box.querySelector("[data-pad-state]");
  const pen = canvas.getContext("2d");
  let strokes = [];
  let stroke = null;
  let points = 0;

  const draw = () => {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = canvas.getBoundingClientRect();
    if (!width) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const scale = canvas.width / UNITS;
    pen.lineWidth = 2.4 * ratio;
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = "#14233d";
    for (const line of strokes) {
      pen.beginPath();
      line.forEach(([x, y], index) => (index ? pen.lineTo(x * scale, y * scale) : pen.moveTo(x * scale, y * scale)));
      if (line.length === 1) pen.lineTo(line[0][0] * scale + 0.1, line[0][1] * scale);
      pen.stroke();
    }
  };

  const changed = () => {
    field.value = strokes.length ? JSON.stringify(strokes) : "";
    state.textContent = strokes.length ? t("已签名") : t("请在框里签名");
    box.dataset.signed = strokes.length ? "yes" : "";
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  const at = (event) => {
    const { left, top, width } = canvas.getBoundingClientRect();
    const part = (value) => Math.max(0, Math.min(UNITS, Math.round((value * UNITS) / width)));
    return [part(event.clientX - left), part(event.clientY - top)];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || points >= MOST_POINTS) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    stroke = [at(event)];
    points += 1;
    strokes.push(stroke);
    draw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke) return;
    for (const step of event.getCoalescedEvents?.() ?? [event]) {
      const [x, y] = at(step);
      const [lastX, lastY] = stroke.at(-1);
      if (Math.abs(x - lastX) + Math.abs(y - lastY) < NEAR || points >= MOST_POINTS) continue;
      stroke.push([x, y]);
      points += 1;
    }
    draw();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => {
      if (!stroke) return;
      stroke = null;
      changed();
    });
  }
  box.querySelector("[data-pad-clear]").addEventListener("click", () => {
    strokes = [];
    points = 0;
    changed();
    draw();
  });
  new ResizeObserver(draw).observe(canvas);
  try {
    strokes = JSON.parse(field.value || "[]"); // a form that came back still has what was drawn
  } catch {
    strokes = [];
  }
  points = strokes.reduce((sum, line) => sum + line.length, 0);
  if (strokes.length) changed();
  draw();
}

const tended = new WeakSet();

/** Make pads of those under `root` that are not yet. */
export function tendPads(root = document) {
  for (const box of root.querySelectorAll("[data-pad]")) {
    if (tended.has(box)) continue;
    tended.add(box);
    tend(box);
  }
}
