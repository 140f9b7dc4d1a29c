// A telephone to try the centre out with: it calls the hotline as a customer would.
import { byId, setData, setText } from "./dom.js";
import { send } from "./page.js";
import { openEar } from "./softphone_sound.js";
import { tickFrom } from "./clock.js";
import { t } from "./texts.js";

const GATHER_MS = 800;
const ear = openEar();
let ua = null;
let session = null;

const draw = (text) => {
  const talking = Boolean(session?.isEstablished());
  setData(byId("test-phone"), "call", talking ? "talking" : session ? "calling" : "none");
  byId("test-dial").hidden = Boolean(session);
  byId("test-hangup").hidden = !session;
  for (const button of document.querySelectorAll("[data-dtmf]")) button.disabled = !talking;
  if (text !== undefined) setText(byId("test-state"), text);
};

/** Return a connected telephone; the password is asked for anew for each call. */
async function connected() {
  const key = await send("POST", "/test-phone", {});
  const place = new URL("/test-phone/sip", location.href);
  place.protocol = place.protocol === "https:" ? "wss:" : "ws:";
  const { JsSIP } = window;
  ua?.stop();
  ua = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(place.href)],
    uri: `sip:${key.number}@${key.domain}`,
    authorization_user: key.number,
    password: key.password,
    register: false,
    session_timers: false,
    user_agent: "Huifang",
  });
  const mine = ua;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("late")), 8000);
    mine.on("connected", () => { clearTimeout(timer); resolve({ key, ua: mine }); });
    mine.start();
  });
}

async function dial() {
  const number = byId("test-number").value.replace(/[^0-9+]/g, "");
  if (!number) return draw(t("请填写来电号码"));
  byId("test-dial").disabled = true;
  draw(t("正在拨打…"));
  try {
    const problem = await ear.open();
    if (problem) return draw(problem);
    const found = await connected();
    let timer = 0;
    session = found.ua.call(`sip:${byId("test-phone").dataset.hotline}@${found.key.domain}`, {
      mediaStream: ear.stream(),
      mediaConstraints: { audio: true, video: false },
      pcConfig: { iceServers: [] },
      extraHeaders: [`P-Asserted-Identity: <sip:${number}@${found.key.domain}>`],
      eventHandlers: {
        icecandidate: ({ ready }) => { timer ||= setTimeout(ready, GATHER_MS); },
        progress: () => draw(t("对方振铃中…")),
        confirmed: () => { tickFrom(byId("test-clock"), new Date().toISOString()); draw(t("已接通，请按提示说话或按键")); },
        ended: () => over(t("通话结束")),
        failed: ({ cause }) => over(t("没有接通：%(why)s", { why: cause })),
      },
    });
    session.connection.addEventListener("track", (event) => ear.play(event.streams[0] || new MediaStream([event.track])));
    draw();
  } catch {
    over(t("没有连上，请再试一次"));
  } finally {
    byId("test-dial").disabled = false;
  }
}

function over(text) {
  session = null;
  ear.hush();
  ear.close();
  tickFrom(byId("test-clock"), null);
  setText(byId("test-pressed"), "");
  ua?.stop();
  ua = null;
  draw(text);
}

function press(key) {
  if (!session?.isEstablished()) return;
  session.sendDTMF(key, { transportType: "RFC2833", duration: 160 });
  setText(byId("test-pressed"), `${byId("test-pressed").textContent}${key}`.slice(-20));
}

byId("test-form").addEventListener("submit", (event) => {
  event.preventDefault();
  dial();
});
byId("test-hangup").addEventListener("click", () => session?.terminate());
byId("phone-settings-open").addEventListener("click", () => byId("phone-settings").showModal());
for (const button of document.querySelectorAll("[data-dtmf]")) button.addEventListener("click", () => press(button.dataset.dtmf));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target === byId("test-number")) return;
  if (/^[0-9*#]$/.test(event.key)) press(event.key);
});
draw();
