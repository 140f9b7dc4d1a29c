// The campaigns that dial today, on the supervisors' board and on the big screen.
import { duration, now } from "./clock.js";
import { byId, setText } from "./dom.js";
import { drawRows } from "./rows.js";
import { t } from "./texts.js";

const FRESH_S = 8; // what is stored is read every five seconds
const OLD_S = 15;
const none = "–";
const part = byId("campaigns-part");
const body = byId("campaigns");
let known = [];
let asOf = null;

const percent = (share) => `${Math.round(share * 1000) / 10}%`;

/** How old the older of what is stored and what the dialler told is; a campaign nobody dials for has no pulse. */
const oldest = (campaign) => Math.max(0, ...[asOf, campaign.moved_at].filter(Boolean).map((at) => (now() - Date.parse(at)) / 1000));

function cells(campaign, linked) {
  const late = campaign.abandoned_share !== null && campaign.abandoned_share > campaign.cap;
  return [
    linked ? { text: campaign.name, href: `/campaigns/${campaign.campaign_id}`, cls: "tight" } : { text: campaign.name },
    { text: campaign.waiting, cls: "n" },
    { text: campaign.done, cls: "n" },
    { text: campaign.dialling ?? none, cls: "n" },
    { text: campaign.talking ?? none, cls: "n" },
    { text: campaign.abandoned_share === null ? none : percent(campaign.abandoned_share), cls: late ? "n late" : "n" },
    { text: "", cls: "n muted" },
  ];
}

/**
 * Return what keeps the table: `take` what the server tells, `draw` some of it, `age` once a second.
 * @param linked whether a name leads to its campaign
 * @param shown all campaigns → those that are to be seen now
 */
export function runningCampaigns({ linked, shown = (all) => all }) {
  const draw = () => {
    part.hidden = known.length === 0;
    drawRows(body, shown(known), (campaign) => campaign.campaign_id, (campaign) => cells(campaign, linked));
    age();
  };
  const age = () => {
    const rows = new Map(known.map((campaign) => [campaign.campaign_id, campaign]));
    for (const row of body.children) {
      const old = oldest(rows.get(row.dataset.key));
      row.classList.toggle("old", old > OLD_S);
      setText(row.lastElementChild, old < FRESH_S ? t("刚刚") : t("%(d)s 前", { d: duration(old) }));
    }
  };
  return { take: (told) => { asOf = told.as_of; known = told.campaigns; draw(); }, draw, age, count: () => known.length };
}
