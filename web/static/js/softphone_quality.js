// How good the line is: measured while two people speak, shown as a word, told to the server for the record.
import { send } from "./page.js";

const EVERY_MS = 2000;
const TELL_EVERY = 15; // measurements; a page that dies loses no more than half a minute
const STEADY = 2; // so many measurements in a row change the sign: it must not flicker
const SILENT = 3; // so many without one packet are no pause of the network any more
const POOR = { rtt_ms: 400, loss: 5, jitter_ms: 60 };
const TRIES = 4;
const AGAIN_MS = 700;

/**
 * Measure a conversation until `stop()` is called.
 * @param connection its RTCPeerConnection
 * @param callId returns which call it is, or "" as long as nobody knows
 * @param quiet returns whether nothing is expected to be heard, as on hold
 * @param onSign called with ("good" | "poor", why, values) when the sign changes; why is "", "silent",
 *   "heard" (we hear them badly), "spoken" (they hear us badly) or "late"
 */
export function watchQuality(connection, { callId, quiet, onSign }) {
  const stretch = [...crypto.getRandomValues(new Uint8Array(8))].map((one) => one.toString(16).padStart(2, "0")).join("");
  const spreads = {};
  let before = null;
  let about = "";
  let samples = 0;
  let poor = 0;
  let sign = "";
  let same = { word: "", times: 0 };
  let silent = 0;
  let ended = false;

  async function measure() {
    let found;
    try {
      found = read(await connection.getStats());
    } catch {
      return; // it is being closed
    }
    if (ended) return;
    about ||= callId();
    const values = differences(found, before);
    before = found;
    if (!values || quiet()) {
      silent = 0;
      return;
    }
    silent = values.came ? 0 : silent + 1;
    samples += 1;
    for (const name of ["rtt_ms", "loss_in", "loss_out", "jitter_in_ms", "jitter_out_ms"]) add(name, values[name]);
    const why = judge(values, silent);
    if (why) poor += 1;
    const word = why ? "poor" : "good";
    same = word === same.word ? { word, times: same.times + 1 } : { word, times: 1 };
    if (same.times >= (sign ? STEADY : 1) && (word !== sign || why)) {
      sign = word;
      onSign(word, why, values);
    }
    if (samples % TELL_EVERY === 0) tell().catch(() => {});
  }

  function add(name, value) {
    if (value === null) return;
    const spread = (spreads[name] ||= { low: value, high: value, sum: 0, count: 0 });
    spread.low = Math.min(spread.low, value);
    spread.high = Math.max(spread.high, value);
    spread.sum += value;
    spread.count += 1;
  }

  const report = () => ({
    call_id: about,
    stretch,
    seconds: (samples * EVERY_MS) / 1000,
    poor_seconds: (poor * EVERY_MS) / 1000,
    ...Object.fromEntries(Object.entries(spreads).map(([name, { low, high, sum, count }]) => {
      return [name, { low, mean: Math.min(high, Math.max(low, sum / count)), high }];
    })),
  });

  const tell = () => (about && samples ? send("POST", "/agent/phone/quality", report(), { quiet: true, keepalive: true }) : Promise.resolve());

  async function tellAtLast() {
    for (let left = TRIES; left > 0; left -= 1) {
      try {
        return await tell();
      } catch (error) {
        // A short call may not be on record yet; the network may be away for a moment.
        if (![0, 403, 404, 503].includes(error.status)) return undefined;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS * (TRIES + 1 - left)));
      }
    }
    return undefined;
  }

  const timer = setInterval(measure, EVERY_MS);
  const leave = () => { tell().catch(() => {}); };
  window.addEventListener("pagehide", leave);
  return {
    stop() {
      if (ended) return;
      ended = true;
      clearInterval(timer);
      window.removeEventListener("pagehide", leave);
      tellAtLast();
    },
  };
}

/** What the browser counts, of sound in both directions. */
function read(stats) {
  const found = { at: 0, received: null, lost: 0, jitter_in_ms: null, jitter_out_ms: null, rtt_ms: null, loss_out: null };
  let pair = null;
  for (const one of stats.values()) {
    if (one.type === "inbound-rtp" && one.kind === "audio") {
      found.at = one.timestamp;
      found.received = one.packetsReceived ?? 0;
      found.lost = Math.max(0, one.packetsLost ?? 0);
      found.jitter_in_ms = millis(one.jitter);
    } else if (one.type === "remote-inbound-rtp" && one.kind === "audio") {
      found.jitter_out_ms = millis(one.jitter);
      found.loss_out = one.fractionLost === undefined ? null : Math.min(100, Math.max(0, one.fractionLost * 100));
      found.rtt_ms = millis(one.roundTripTime);
    } else if (one.type === "candidate-pair" && one.nominated) pair = millis(one.currentRoundTripTime);
  }
  found.rtt_ms ??= pair;
  return found;
}

const millis = (seconds) => (Number.isFinite(seconds) ? Math.min(60_000, Math.max(0, seconds * 1000)) : null);

function differences(now, before) {
  if (now.received === null || before?.received == null) return null;
  const came = Math.max(0, now.received - before.received);
  const lost = Math.max(0, now.lost - before.lost);
  return { ...now, came, loss_in: came + lost ? (100 * lost) / (came + lost) : null };
}

function judge(values, silent) {
  if (silent >= SILENT) return "silent";
  if (values.loss_in >= POOR.loss || values.jitter_in_ms >= POOR.jitter_ms) return "heard";
  if (values.loss_out >= POOR.loss || values.jitter_out_ms >= POOR.jitter_ms) return "spoken";
  return values.rtt_ms >= POOR.rtt_ms ? "late" : "";
}
