// The live connection: server-sent events, resumed after a break, watched for silence.
import { learnServerTime } from "./clock.js";
import { toSignIn } from "./page.js";

const SILENCE_MS = 40_000; // the server says something at least every 15 s
const GRACE_MS = 1_500; // a break shorter than this is not shown

const shared = []; // what parts of the frame read besides the page: {topic, handlers}
let background = null; // the frame's own connection, on pages that open none
let opened = false;

/** Have `topic` read along with whatever the page reads, over one connection. */
export function readAlong(topic, handlers) {
  shared.push({ topic, handlers });
}

/**
 * On a page that has opened no connection itself: read the shared topics while the page is looked at. A
 * browser allows few connections to one server, and pages that lie in the background need none.
 */
export function openShared() {
  if (opened || background) return;
  const follow = () => {
    if (document.hidden) {
      background?.close();
      background = null;
    } else if (!opened && !background) {
      background = connectLive({ topics: [], handlers: {}, onStatus: () => {} });
    }
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}

/**
 * Open the live connection.
 * @param topics what to read: "agent", "board"
 * @param handlers event name → function(payload); a snapshot is a list of such events
 * @param onStatus called with "live", "stale" or "displaced"
 * @param at where the stream is; `signIn`: where who may not read it goes
 */
export function openLive(wanted) {
  opened = true;
  background?.close();
  background = null;
  return connectLive(wanted);
}

/** As `openLive`, while the page is looked at: one that lies in the background begins anew when it is seen. */
export function openWhileSeen(wanted) {
  let live = null;
  const follow = () => {
    if (document.hidden) {
      live?.close();
      live = null;
    } else live ??= openLive(wanted);
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}

function connectLive({ topics: own, handlers: ownHandlers, onStatus, at = "/live", signIn = "/sign-in" }) {
  const topics = [...own, ...shared.map((part) => part.topic)];
  const handlers = Object.assign({}, ...shared.map((part) => part.handlers), ownHandlers);
  let closed = false;
  let source = null;
  let lastId = "";
  let lastSeen = Date.now();
  let attempts = 0;
  let retryTimer = 0;
  let graceTimer = 0;
  let status = "";

  const report = (next) => {
    clearTimeout(graceTimer);
    graceTimer = 0;
    if (next === status) return;
    status = next;
    onStatus(next);
  };

  const lost = () => {
    if (closed || status === "displaced" || graceTimer) return;
    graceTimer = setTimeout(() => report("stale"), GRACE_MS);
  };

  const take = (name, payload) => handlers[name]?.(payload);

  const heard = (event) => {
    lastSeen = Date.now();
    attempts = 0;
    if (event.lastEventId) lastId = event.lastEventId;
    report("live");
  };

  const connect = () => {
    if (closed) return;
    clearTimeout(retryTimer);
    source?.close();
    lastSeen = Date.now();
    const query = new URLSearchParams({ topics: topics.join(",") });
    if (lastId) query.set("last_event_id", lastId);
    source = new EventSource(`${at}?${query}`);
    source.addEventListener("snapshot", (event) => {
      heard(event);
      for (const [name, payload] of JSON.parse(event.data).events) take(name, payload);
    });
    for (const name of Object.keys(handlers)) {
      source.addEventListener(name, (event) => {
        heard(event);
        take(name, JSON.parse(event.data));
      });
    }
    source.addEventListener("heartbeat", (event) => {
      learnServerTime(JSON.parse(event.data).now);
      heard(event);
    });
    source.addEventListener("displaced", () => {
      source.close();
      report("displaced");
    });
    source.onerror = () => {
      lost();
      if (source.readyState === EventSource.CLOSED) retry();
    };
  };

  // The browser tries again by itself while the network fails. Where the server answered with an error it
  // gives up, and so does a session that has ended: then the page goes to the sign-in.
  const retry = () => {
    if (closed || status === "displaced") return;
    source?.close();
    attempts += 1;
    const wait = Math.min(15_000, 500 * 2 ** Math.min(attempts, 5)) * (0.7 + 0.6 * Math.random());
    clearTimeout(retryTimer);
    retryTimer = setTimeout(async () => {
      try {
        const answer = await fetch(`${at}/check`, { cache: "no-store", headers: { Accept: "application/json" } });
        if (answer.status === 401) {
          toSignIn(signIn);
          return;
        }
      } catch {
        // still no network: the next attempt will show it
      }
      connect();
    }, wait);
  };

  const watch = setInterval(() => {
    if (status === "displaced" || Date.now() - lastSeen < SILENCE_MS) return;
    report("stale");
    connect();
  }, 5_000);

  const gone = new AbortController();
  const listen = (name, heed) => window.addEventListener(name, heed, { signal: gone.signal });
  listen("offline", () => report(status === "displaced" ? "displaced" : "stale"));
  listen("online", connect);
  listen("pagehide", () => source?.close());
  listen("pageshow", (event) => event.persisted && connect());
  connect();
  return {
    reconnect: () => { status = ""; connect(); },
    close: () => {
      closed = true;
      gone.abort();
      clearInterval(watch);
      clearTimeout(retryTimer);
      clearTimeout(graceTimer);
      source?.close();
    },
  };
}
