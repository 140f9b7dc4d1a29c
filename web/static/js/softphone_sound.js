// Microphone, loudspeaker and bell of the telephone in the page.
import { byId } from "./dom.js";
import { t } from "./texts.js";

const KEPT = { mic: "hf.phone.mic", speaker: "hf.phone.speaker", volume: "hf.phone.volume" };
const RING_HZ = 450; // as a telephone in China rings
const RING_ON_MS = 1000;
const RING_EVERY_MS = 5000;
const LEVEL_MS = 100;

/**
 * Return the ear of a page: it opens the microphone, plays the other side, and rings.
 * @param onStream called with what is heard from now on, when another microphone was chosen
 * @param onLost called when the microphone was unplugged
 * @param onDevices called when something was plugged in or out
 */
export function openEar({ onStream = () => {}, onLost = () => {}, onDevices = () => {} } = {}) {
  let stream = null;
  let ringing = 0;
  let context = null;
  let note = null;
  const sound = new Audio();
  sound.autoplay = true;

  const remembered = (key) => localStorage.getItem(KEPT[key]) || "";
  const stop = () => { for (const track of stream?.getTracks() || []) track.stop(); stream = null; };

  async function open() {
    if (stream?.active) return "";
    if (!navigator.mediaDevices) return t("浏览器只在安全连接（https）下开放麦克风");
    const device = remembered("mic");
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: device ? { ...audio, deviceId: { ideal: device } } : audio });
    } catch (error) {
      if (error.name === "NotAllowedError") return t("麦克风没有开放：请点地址栏左边的图标，允许使用麦克风，然后按「重试」");
      if (error.name === "NotFoundError") return t("没有找到麦克风：请插好耳机，然后按「重试」");
      return t("麦克风打不开：请看看是不是别的程序在用，然后按「重试」");
    }
    stream.getAudioTracks()[0]?.addEventListener("ended", onLost);
    await listDevices();
    const mine = stream;
    meter(byId("phone-level"), mine, () => stream === mine);
    return "";
  }

  async function listDevices() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    fillChoice(byId("phone-mic"), devices.filter((one) => one.kind === "audioinput"), remembered("mic"));
    fillChoice(byId("phone-speaker"), devices.filter((one) => one.kind === "audiooutput"), remembered("speaker"));
    byId("phone-speaker").closest("label").hidden = !("setSinkId" in sound);
    await useSpeaker(remembered("speaker"));
    sound.volume = Number(remembered("volume") || 1);
    byId("phone-volume").value = String(sound.volume);
  }

  function fillChoice(box, devices, chosen) {
    box.replaceChildren(...devices.map((one, index) => new Option(one.label || t("设备 %(number)s", { number: index + 1 }), one.deviceId, false, one.deviceId === chosen)));
  }

  async function useSpeaker(device) {
    if (!device || !("setSinkId" in sound)) return;
    await sound.setSinkId(device).catch(() => localStorage.removeItem(KEPT.speaker)); // it was unplugged
  }

  /** Show how loud something is, while the settings are open. */
  function meter(box, loudness, goesOn) {
    if (!box || !loudness.getAudioTracks().length) return;
    context ||= new AudioContext();
    const heard = context.createAnalyser();
    heard.fftSize = 512;
    const source = context.createMediaStreamSource(loudness);
    source.connect(heard);
    const samples = new Float32Array(heard.fftSize);
    const timer = setInterval(() => {
      if (!goesOn()) {
        clearInterval(timer);
        source.disconnect();
        box.value = 0;
        return;
      }
      if (!byId("phone-settings").open) return;
      heard.getFloatTimeDomainData(samples);
      const loud = Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
      box.value = Math.min(1, loud * 6);
    }, LEVEL_MS);
  }

  function beep() {
    context ||= new AudioContext();
    if (context.state === "suspended") context.resume().catch(() => {});
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = RING_HZ;
    volume.gain.value = 0.15;
    tone.connect(volume).connect(context.destination);
    tone.start();
    tone.stop(context.currentTime + RING_ON_MS / 1000);
  }

  byId("phone-mic").addEventListener("change", async (event) => {
    localStorage.setItem(KEPT.mic, event.target.value);
    stop();
    if (!(await open())) onStream(stream);
  });
  byId("phone-speaker").addEventListener("change", (event) => {
    localStorage.setItem(KEPT.speaker, event.target.value);
    useSpeaker(event.target.value);
  });
  byId("phone-volume").addEventListener("input", (event) => {
    localStorage.setItem(KEPT.volume, event.target.value);
    sound.volume = Number(event.target.value);
  });
  navigator.mediaDevices?.addEventListener("devicechange", () => {
    if (stream) listDevices();
    onDevices();
  });

  return {
    open,
    stream: () => stream,
    close: stop,
    /** Return a track in which nothing is said: without any sound the PBX would take us for dead. */
    silence() {
      context ||= new AudioContext();
      const [nothing, way] = [context.createGain(), context.createMediaStreamDestination()];
      const source = context.createConstantSource();
      nothing.gain.value = 0;
      source.connect(nothing).connect(way);
      source.start();
      return way.stream.getAudioTracks()[0];
    },
    play(remote) {
      sound.srcObject = remote;
      meter(document.getElementById("phone-heard"), remote, () => sound.srcObject === remote);
      sound.play().catch(() => {}); // the browser wants a click first; the answer was one
    },
    hush() { sound.srcObject = null; },
    ring(on) {
      clearInterval(ringing);
      ringing = 0;
      if (!on) {
        note?.close();
        note = null;
        return;
      }
      beep();
      ringing = setInterval(beep, RING_EVERY_MS);
    },
    notify(title, body) {
      if (document.visibilityState === "visible" || !("Notification" in window) || Notification.permission !== "granted") return;
      note = new Notification(title, { body, tag: "huifang-call", requireInteraction: true });
      note.onclick = () => { window.focus(); note?.close(); };
    },
    /** Ask whether calls may be shown on the desktop, once, when a person has just pressed something. */
    askToNotify() {
      if ("Notification" in window && Notification.permission === "default") Notification.requestPermission().catch(() => {});
    },
  };
}
