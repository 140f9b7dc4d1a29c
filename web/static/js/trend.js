// The trend of the day: what came each half hour, and the service level, drawn by uPlot.
import { el, fill, setText } from "./dom.js";
import { t } from "./texts.js";

const SLOT_S = 1800;
const DAY_S = 24 * 3600;
const zone = document.body.dataset.zone || "Asia/Shanghai";
const clock = new Intl.DateTimeFormat("zh-CN", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const hhmm = (at) => clock.format(new Date(at * 1000));

const LIGHT = { ink: "#4c5750", grid: "#dcdfd8", offered: "#9fb7d8", answered: "#1b7443", abandoned: "#a03320", level: "#6637b5" };
const DARK = { ink: "#c9d4ce", grid: "#2c3a34", offered: "#5b82b8", answered: "#57c98a", abandoned: "#ff8a73", level: "#c9a4ff" };

/**
 * A chart in `box`, with its figures as a table for who cannot see it.
 * @returns {{draw: function(object): void, resize: function(): void}}
 */
export function trendChart(box, note = null, { dark = false } = {}) {
  const colours = dark ? DARK : LIGHT;
  const table = el("table");
  const canvas = el("div", { class: "trend-canvas", "aria-hidden": "true" });
  // in a box of its own: a table is never as small as it is told to be, and makes the page longer
  fill(box, canvas, el("div", { class: "visually-hidden" }, [table]));
  let plot = null;
  let last = null;

  const size = () => ({ width: Math.max(280, canvas.clientWidth), height: dark ? Math.max(110, canvas.clientHeight - 50) : 180 });

  function columns(trend) {
    const known = new Map(trend.points.map((point) => [Date.parse(point.at) / 1000, point]));
    const begin = Date.parse(trend.day_from) / 1000;
    const until = Date.parse(trend.as_of) / 1000;
    const first = Math.min(begin + 8 * 3600, ...known.keys());
    const whole = Math.max(until, begin + 18 * 3600, ...known.keys());
    const data = [[], [], [], [], []];
    for (let at = first; at <= Math.min(whole, begin + DAY_S - SLOT_S); at += SLOT_S) {
      const point = known.get(at);
      const past = at <= until;
      data[0].push(at);
      data[1].push(past ? point?.offered ?? 0 : null);
      data[2].push(past ? point?.answered ?? 0 : null);
      data[3].push(past ? point?.abandoned ?? 0 : null);
      data[4].push(past && point && point.service_level !== null ? point.service_level * 100 : null);
    }
    return data;
  }

  function make(data) {
    const font = `${dark ? Math.max(14, Math.round(window.innerHeight * 0.024)) : 12}px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: colours.ink, font, grid: { stroke: colours.grid, width: 1 }, ticks: { stroke: colours.grid, width: 1 } };
    const bars = window.uPlot.paths.bars({ size: [0.8, 60] });
    plot = new window.uPlot({
      ...size(),
      padding: [10, 8, 0, 0],
      cursor: { drag: { x: false, y: false } },
      legend: { live: !dark },
      scales: { x: { time: false, range: (_u, low, high) => [low - SLOT_S / 2, high + SLOT_S / 2] }, y: { range: (_u, _low, high) => [0, Math.max(4, Math.ceil(high * 1.15))] }, level: { range: [0, 105] } },
      axes: [
        { ...axis, values: (_u, splits) => splits.map(hhmm), incrs: [1800, 3600, 7200, 10800, 14400], space: dark ? 90 : 60 },
        { ...axis, size: dark ? 60 : 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
        { ...axis, scale: "level", side: 1, size: dark ? 96 : 50, values: (_u, splits) => splits.map((value) => `${value}%`), grid: { show: false } },
      ],
      series: [
        { label: t("时间"), value: (_u, at) => (at === null ? "–" : hhmm(at)) },
        { label: t("来电"), fill: colours.offered, stroke: colours.offered, width: 0, paths: bars, points: { show: false } },
        { label: t("接通"), stroke: colours.answered, width: 2, points: { size: 5 } },
        { label: t("放弃"), stroke: colours.abandoned, width: 2, points: { size: 5 } },
        { label: t("服务水平"), stroke: colours.level, width: 2, dash: [6, 4], scale: "level", spanGaps: true, points: { size: 5 }, value: (_u, value) => (value === null || value === undefined ? "–" : `${Math.round(value)}%`) },
      ],
    }, data, canvas);
  }

  function drawTable(trend) {
    const head = el("tr", {}, [t("时间"), t("来电"), t("接通"), t("放弃"), t("服务水平")].map((text) => el("th", { scope: "col" }, text)));
    const rows = trend.points.map((point) => el("tr", {}, [
      hhmm(Date.parse(point.at) / 1000), point.offered, point.answered, point.abandoned,
      point.service_level === null ? "–" : `${Math.round(point.service_level * 100)}%`,
    ].map((text) => el("td", {}, String(text)))));
    fill(table, el("caption", {}, t("今日走势（每半小时）")), el("thead", {}, head), el("tbody", {}, rows));
  }

  function draw(trend) {
    last = trend;
    if (!trend.day_from) return;
    drawTable(trend);
    if (note) setText(note, trend.points.length ? "" : t("今天还没有来电。"));
    if (!window.uPlot) return; // it is on its way: the page draws again once it is there
    const data = columns(trend);
    if (plot) plot.setData(data);
    else make(data);
  }

  const resize = () => plot?.setSize(size());
  new ResizeObserver(resize).observe(canvas);
  window.addEventListener("load", () => { if (last && !plot) draw(last); });
  return { draw, resize };
}

