// The telephone in the page: SIP over our own server, sound between the browser and the PBX.
import { byId, isTyping, setData, setText } from "./dom.js";
import { watchQuality } from "./softphone_quality.js";
import { openEar } from "./softphone_sound.js";
import { send, toast } from "./page.js";
import { t } from "./texts.js";

const SIGNED_OUT = 4002; // the session has ended
const ELSEWHERE = 4001; // the page was opened in another window, which has the telephone now
const REGISTER_SECONDS = 90;
const KEY_MINUTES = 5; // the password is asked for again so often; it lives for fifteen at least
const GATHER_MS = 800; // for addresses the sound may come to; those of this machine are there at once

const PAGE = String(Math.random()).slice(2, 14); // this page may take its own call over, another one may not

const phone = { ua: null, session: null, status: "off", why: "", muted: false, wanted: false, quality: null, sign: null, trial: false, deaf: "" };
const ear = openEar({ onStream: speakWith, onLost: hearAgain, onDevices: () => phone.deaf && hearAgain() });

function set(status, why = "") {
  phone.status = status;
  phone.why = why;
  draw();
}

function draw() {
  const { session } = phone;
  const ringing = Boolean(session) && session.direction === "incoming" && !session.isEstablished() && !session.isEnded();
  const talking = Boolean(session?.isEstablished());
  const box = byId("phone");
  box.hidden = phone.status === "off";
  setData(box, "status", phone.status);
  setData(box, "call", talking ? "talking" : ringing ? "ringing" : session ? "calling" : "none");
  setText(byId("phone-state"), stateText(ringing, talking));
  byId("phone-answer").hidden = byId("phone-decline").hidden = !ringing;
  for (const id of ["phone-mute", "phone-keys"]) byId(id).hidden = !talking;
  byId("phone-hangup").hidden = !session || ringing;
  byId("phone-mute").setAttribute("aria-pressed", String(phone.muted));
  drawSign(talking);
  byId("phone-retry").hidden = !["failed", "elsewhere"].includes(phone.status);
  if (!talking) byId("phone-pad").hidden = true;
  document.body.dataset.phone = phone.status;
}

/** Say in one word how the line is; what to do about a poor one stands in the state's place. */
function drawSign(talking) {
  const sign = talking ? phone.sign : null;
  const box = byId("phone-quality");
  setData(box, "sign", sign ? sign.word : "none");
  setText(box, sign ? (sign.word === "good" ? t("线路好") : t("线路差")) : "");
  box.title = sign ? figures(sign.values) : "";
}

function figures({ rtt_ms: rtt, loss_in: lossIn, loss_out: lossOut, jitter_in_ms: jitter }) {
  const whole = (value) => (value === null ? "–" : Math.round(value));
  const share = (value) => (value === null ? "–" : `${Math.round(value)}%`);
  return t("往返 %(rtt)s 毫秒；丢包：听 %(heard)s，说 %(spoken)s；抖动 %(jitter)s 毫秒", { rtt: whole(rtt), heard: share(lossIn), spoken: share(lossOut), jitter: whole(jitter) });
}

function advice(why) {
  switch (why) {
    case "silent": return t("没有声音传来：请挂机再拨，或换话机");
    case "heard": return t("对方的声音断续：请换网线或靠近路由器");
    case "spoken": return t("对方听您断续：请换网线或靠近路由器");
    default: return t("声音来得晚：请等对方说完再说");
  }
}

function stateText(ringing, talking) {
  if (ringing) return t("来电，按 A 接听");
  if (phone.session && phone.deaf) return t("话筒断开了，对方听不到您：请插好耳机");
  if (phone.session && phone.trial) return t("正在试音");
  if (talking && phone.muted) return t("已静音，客户听不到您");
  if (talking && phone.sign?.word === "poor") return advice(phone.sign.why);
  if (talking) return t("通话中");
  if (phone.session) return t("正在呼叫…");
  switch (phone.status) {
    case "ready": return t("网页电话已连上");
    case "connecting": return t("网页电话正在连接…");
    case "elsewhere": return t("电话在另一个窗口里");
    default: return phone.why || t("网页电话没有连上");
  }
}

/** Begin to telephone in the page, if that is what this agent does. */
async function startPhone() {
  if (!window.JsSIP || phone.wanted) return;
  phone.wanted = true;
  set("connecting");
  if (!(await allowed())) return;
  await connect();
}

/** Return whether the microphone may be used; where not, say what to do. */
async function allowed() {
  const problem = await ear.open();
  if (!problem) return true;
  phone.wanted = false;
  set("failed", problem);
  return false;
}

async function connect() {
  let key;
  try {
    key = await send("POST", "/agent/phone", {}, { quiet: true });
  } catch {
    set("failed", t("暂时连不上，稍后自动再试"));
    setTimeout(() => { if (phone.wanted && !phone.ua) connect(); }, 5000);
    return;
  }
  if (key?.kind !== "browser") return set("off");
  const place = new URL(`/agent/phone/sip?page=${PAGE}`, location.href);
  place.protocol = place.protocol === "https:" ? "wss:" : "ws:";
  const { JsSIP } = window;
  const ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(place.href)],
    uri: `sip:${key.number}@${key.domain}`,
    authorization_user: key.number,
    password: key.password,
    display_name: key.number,
    register_expires: REGISTER_SECONDS,
    session_timers: false,
    connection_recovery_min_interval: 1,
    connection_recovery_max_interval: 8,
    user_agent: "Huifang",
  });
  phone.ua = ua;
  phone.key = key;
  ua.on("registered", () => {
    phone.refused = 0;
    set("ready");
    if (phone.lost && phone.session?.isEstablished()) phone.session.renegotiate(); // the PBX learns our new connection
    phone.lost = false;
  });
  ua.on("unregistered", () => { if (phone.status === "ready") set("connecting"); });
  ua.on("registrationFailed", freshKey);
  ua.on("disconnected", ({ code }) => {
    phone.lost = true;
    if (code === ELSEWHERE) {
      stop();
      set("elsewhere");
    } else if (code === SIGNED_OUT && !phone.session) {
      stop();
      set("failed", t("登录已结束，请重新登录"));
    } else if (phone.wanted) set("connecting");
  });
  ua.on("newRTCSession", ({ originator, session, request }) => onCall(originator, session, request));
  ua.start();
}

/** A password that has run out is asked for again; one that is refused again and again is told. */
async function freshKey() {
  phone.refused = (phone.refused || 0) + 1;
  if (phone.refused > 3) set("failed", t("电话系统没有接受登录，请联系主管"));
  await renewKey();
  setTimeout(() => { if (phone.ua?.isConnected() && !phone.ua.isRegistered()) phone.ua.register(); }, 1000 * phone.refused);
}

async function renewKey() {
  if (!phone.ua) return;
  try {
    const key = await send("POST", "/agent/phone", {}, { quiet: true });
    if (key?.password) phone.ua?.set("password", key.password);
  } catch { /* the next one comes soon */ }
}
setInterval(renewKey, KEY_MINUTES * 60_000);

/** Let the telephone go: another window has it. */
function stop() {
  phone.wanted = false;
  phone.ua?.stop();
  phone.ua = null;
  ear.close();
  set("off");
}

/** Let the other side hear another microphone from now on. */
function speakWith(stream) {
  say(stream.getAudioTracks()[0]);
}

function say(track) {
  track.enabled = !phone.muted;
  const sender = phone.session?.connection?.getSenders().find((one) => one.track?.kind === "audio");
  sender?.replaceTrack(track).catch(() => toast(t("话筒没有换成，请挂机后再试"), "error"));
}

/** The microphone is gone: another one takes its place; where there is none it is told until one is plugged in. */
async function hearAgain() {
  const problem = await ear.open();
  phone.deaf = problem;
  if (problem && phone.session) say(ear.silence());
  if (!problem) {
    speakWith(ear.stream());
    toast(t("话筒已接上，对方能听到您了"));
  } else if (!phone.session) set("failed", problem);
  draw();
  if (!problem && phone.status === "failed") (phone.ua?.isRegistered() ? set("ready") : startPhone());
}

function onCall(originator, session, request) {
  if (phone.session) {
    session.terminate({ status_code: 486, reason_phrase: "Busy Here" });
    return;
  }
  phone.session = session;
  phone.trial = originator === "local";
  phone.muted = false;
  const over = (event) => onEnd(session, event);
  session.on("ended", over);
  session.on("failed", over);
  session.on("accepted", onTalk);
  session.on("confirmed", onTalk);
  session.on("icecandidate", gather());
  session.on("peerconnection", ({ peerconnection }) => listen(peerconnection));
  if (session.connection) listen(session.connection);
  if (originator !== "remote") return draw();
  if (/answer-after=0/.test(request.getHeader("Call-Info") || "")) return answer();
  ear.ring(true);
  ear.notify(t("有来电"), t("回到坐席页面，按 A 接听"));
  draw();
}

const listen = (connection) => connection.addEventListener("track", (event) => ear.play(event.streams[0] || new MediaStream([event.track])));

/** The call that the page is about while it is spoken in; "" as long as the page does not know. */
function callInHand() {
  const [callId, phase] = (document.body.dataset.pop || "").split(" ");
  return phase === "talking" ? callId : "";
}

/** Do not wait for addresses that never come. */
function gather() {
  let timer = 0;
  return ({ ready }) => { timer ||= setTimeout(ready, GATHER_MS); };
}

function onTalk() {
  ear.ring(false);
  if (phone.trial) tellTrial(t("请听提示，滴声后说一句话，会放给您听"));
  else phone.quality ||= watchQuality(phone.session.connection, {
    callId: callInHand,
    quiet: () => !byId("call-held").hidden,
    onSign: (word, why, values) => {
      phone.sign = { word, why, values };
      draw();
    },
  });
  draw();
}

function onEnd(session, { cause, originator } = {}) {
  if (phone.session !== session) return;
  ear.ring(false);
  ear.hush();
  phone.quality?.stop();
  phone.quality = phone.sign = phone.session = null;
  if (phone.trial) tellTrial(cause === "Terminated" ? t("听得清楚，就可以接电话了；听不清楚，请换话筒或听筒") : t("试音没有接通，请稍后再试"));
  phone.trial = false;
  if (phone.deaf) set("failed", phone.deaf);
  if (originator === "local" && cause === "User Denied Media Access") toast(t("麦克风不可用，电话没有接起来"), "error");
  draw();
}

const options = () => ({ mediaStream: ear.stream(), mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } });

async function answer() {
  const { session } = phone;
  if (!session || session.isEstablished()) return;
  ear.ring(false);
  const problem = await ear.open();
  if (problem) return toast(problem, "error");
  session.answer(options());
}

/** Call the number that plays back what is said; pressed again, end that. */
async function tryOut() {
  if (phone.session) return phone.trial ? hangUp() : tellTrial(t("通话结束以后再试"));
  if (!phone.ua?.isRegistered()) return tellTrial(t("网页电话没有连上，请稍后再试"));
  const problem = await ear.open();
  if (problem) return tellTrial(problem);
  tellTrial(t("正在接通…"));
  return phone.ua.call(`sip:${phone.key.try_phone}@${phone.key.domain}`, options());
}

const tellTrial = (text) => setText(byId("phone-try-state"), text);

const decline = () => phone.session?.terminate({ status_code: 486, reason_phrase: "Busy Here" });
const hangUp = () => phone.session?.terminate();

function mute() {
  const { session } = phone;
  if (!session?.isEstablished()) return;
  phone.muted = !phone.muted;
  if (phone.muted) session.mute({ audio: true });
  else session.unmute({ audio: true });
  draw();
}

function press(key) {
  if (!phone.session?.isEstablished()) return;
  phone.session.sendDTMF(key, { transportType: "RFC2833", duration: 160 });
  setText(byId("phone-pressed"), `${byId("phone-pressed").textContent}${key}`.slice(-20));
}

byId("phone-answer").addEventListener("click", answer);
byId("phone-decline").addEventListener("click", decline);
byId("phone-hangup").addEventListener("click", hangUp);
byId("phone-mute").addEventListener("click", mute);
byId("phone-keys").addEventListener("click", () => {
  const pad = byId("phone-pad");
  pad.hidden = !pad.hidden;
  setText(byId("phone-pressed"), "");
  if (!pad.hidden) pad.querySelector("button").focus();
});
byId("phone-retry").addEventListener("click", () => startPhone());
for (const button of document.querySelectorAll("[data-dtmf]")) button.addEventListener("click", () => press(button.dataset.dtmf));

// Whoever goes lets the telephone go at once; one that is killed is noticed by the PBX.
window.addEventListener("pagehide", () => phone.ua?.stop());
window.addEventListener("pageshow", (event) => event.persisted && location.reload());

// A page that is closed takes the call with it.
window.addEventListener("beforeunload", (event) => {
  if (phone.session?.isEstablished()) event.preventDefault();
});

byId("phone-settings-open").addEventListener("click", () => byId("phone-settings").showModal());
byId("phone-try").addEventListener("click", tryOut);
byId("sign-in").addEventListener("click", () => ear.askToNotify()); // a browser asks only when a hand did something
byId("phone-notify").addEventListener("click", async () => {
  const answered = "Notification" in window ? await Notification.requestPermission() : "denied";
  toast(answered === "granted" ? t("好的，有来电时桌面会提醒您") : t("浏览器没有允许提醒，可以在地址栏左边的图标里打开"), answered === "granted" ? "note" : "error");
});

// Each does nothing where it has no meaning.
const keys = {
  a: () => byId("phone-answer").hidden || answer(),
  d: () => byId("phone-decline").hidden || decline(),
  m: () => byId("phone-mute").hidden || mute(),
  x: () => byId("phone-hangup").hidden || hangUp(),
};

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]") || !byId("keys-on").checked) return;
  const run = keys[event.key.toLowerCase()];
  if (!run) return;
  event.preventDefault();
  run();
});

startPhone();
