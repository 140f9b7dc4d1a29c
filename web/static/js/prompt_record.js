// A prompt in somebody's own voice: recorded with the microphone or chosen as a file, sent as a WAV.
import { byId } from "./dom.js";
import { toast } from "./page.js";
import { t } from "./texts.js";

const RATE = 16000;
const LONGEST = 120;

/** Return what is in `blob`, whatever a browser can play, as a mono 16-bit WAV. */
async function wavOf(blob) {
  const context = new AudioContext();
  let sound;
  try {
    sound = await context.decodeAudioData(await blob.arrayBuffer());
  } finally {
    context.close();
  }
  if (sound.duration > LONGEST) throw new RangeError("too long");
  const offline = new OfflineAudioContext(1, Math.ceil(sound.duration * RATE), RATE);
  const source = offline.createBufferSource();
  source.buffer = sound;
  source.connect(offline.destination);
  source.start();
  const samples = (await offline.startRendering()).getChannelData(0);
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const word = (at, text) => [...text].forEach((letter, index) => view.setUint8(at + index, letter.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true);
  view.setUint32(28, 2 * RATE, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, index) => view.setInt16(44 + 2 * index, Math.max(-1, Math.min(1, sample)) * 32767, true));
  return new Blob([view.buffer], { type: "audio/wav" });
}

/** Let prompts in `root` be recorded; `send(prompt, wav or null)` keeps it, and throws when that fails. */
export function recordPrompts(root, send) {
  let running = null;

  const keep = async (prompt, blob) => {
    try {
      await send(prompt, blob && await wavOf(blob));
    } catch (error) {
      if (error instanceof RangeError) toast(t("一段提示音最长 2 分钟。"), "error");
      else if (error.name === "EncodingError") toast(t("这个文件不是声音，或者浏览器听不懂。"), "error");
      else toast(t("录音没有保存：%(why)s", { why: error.message }), "error");
    }
  };

  const start = async (button) => {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      toast(t("用不了麦克风，请在浏览器里允许使用。"), "error");
      return;
    }
    const chunks = [];
    const recorder = new MediaRecorder(stream);
    const prompt = button.dataset.prompt;
    const limit = setTimeout(() => running?.recorder.stop(), LONGEST * 1000);
    recorder.addEventListener("dataavailable", (event) => chunks.push(event.data));
    recorder.addEventListener("stop", () => {
      clearTimeout(limit);
      for (const track of stream.getTracks()) track.stop();
      running = null;
      button.removeAttribute("data-running");
      button.textContent = `● ${t("录音")}`;
      keep(prompt, new Blob(chunks, { type: recorder.mimeType }));
    });
    recorder.start();
    running = { recorder, prompt };
    button.setAttribute("data-running", "");
    button.textContent = `■ ${t("说完了")}`;
  };

  const file = byId("sound");
  root.addEventListener("click", (event) => {
    const button = event.target.closest("button.record, button.upload, button.synthetic");
    if (!button) return;
    if (running) running.recorder.stop();
    else if (button.matches(".record")) start(button);
    else if (button.matches(".synthetic")) keep(button.dataset.prompt, null);
    else {
      file.value = "";
      file.dataset.prompt = button.dataset.prompt;
      file.click();
    }
  });
  file.addEventListener("change", () => {
    if (file.files[0]) keep(file.dataset.prompt, file.files[0]);
  });
}
