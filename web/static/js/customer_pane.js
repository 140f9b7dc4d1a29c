// The centre: who the customer is. Drawn anew only when the customer part of the pop changes.
import { date, dateTime } from "./clock.js";
import { byId, el, fill } from "./dom.js";
import { t } from "./texts.js";

const STEPS = [
  [50, () => t("开工")],
  [60, () => t("隐蔽")],
  [70, () => t("中期")],
  [80, () => t("完工")],
  [90, () => t("交付")],
];

let drawn = "";

/** Draw the customer of `pop`. `actions.choose(id)`; the newcomer form is `actions.newcomer`. */
export function drawCustomer(pop, labels, actions) {
  const customer = chosenOf(pop);
  const key = JSON.stringify([pop?.call_id, pop?.lookup, pop?.chosen, pop?.customers, pop?.about]);
  if (key === drawn) return;
  drawn = key;
  fill(byId("customer"), centre(pop, customer, labels, actions));
  drawCases(customer, labels, pop, actions);
  drawContacts(customer, labels);
}

/** The customer the call belongs to, `null` while that is not known. */
export function chosenOf(pop) {
  if (!pop?.chosen) return null;
  return pop.customers.find((customer) => customer.customer_id === pop.chosen) || null;
}

/** True while the agent has to say which of several customers is calling. */
export const mustChoose = (pop) => pop?.lookup === "several" && pop.chosen === null;

/** True when nobody is known under the number. */
export const isNewcomer = (pop) => Boolean(pop) && (pop.lookup === "unknown" || pop.chosen === "");

function centre(pop, customer, labels, actions) {
  if (!pop) return idle(t("还没有来电"), t("来电振铃时，客户资料会自动出现在这里。"));
  if (customer) return card(customer, pop, labels, actions);
  if (mustChoose(pop)) return choices(pop, labels, actions);
  if (isNewcomer(pop)) return newcomer(pop, actions);
  if (pop.lookup === "internal") return idle(t("内部通话"), t("同事之间的通话，没有客户资料。"));
  if (pop.lookup === "failed") return idle(t("客户资料暂时读不出来"), t("电话照常接听，请把姓名和地址记在备注里。"));
  return idle(t("正在查找客户…"), pop.number);
}

function idle(heading, text) {
  return el("div", { class: "idle" }, el("strong", {}, heading), el("p", { class: "wrap" }, text));
}

function levelBadge(customer) {
  return el("div", { class: "level", dataset: { level: customer.level }, title: t("客户级别 %(level)s", { level: customer.level }) }, customer.level);
}

function card(customer, pop, labels, actions) {
  const flags = [
    customer.problem_reason !== null && el("span", { class: "chip", dataset: { tone: "brick" }, title: customer.problem_reason }, t("重点关注：%(reason)s", { reason: customer.problem_reason })),
    customer.frozen_reason !== null && el("span", { class: "chip", dataset: { tone: "blue" }, title: customer.frozen_reason }, t("已冻结：%(reason)s", { reason: customer.frozen_reason })),
    customer.do_not_call && el("span", { class: "chip", dataset: { tone: "amber" } }, t("不要主动外呼")),
    customer.elder_mode && el("span", { class: "chip", dataset: { tone: "violet" } }, t("长者，请放慢语速")),
  ];
  return [
    el("div", { class: "head" },
      levelBadge(customer),
      el("div", { class: "wrap" },
        el("p", { class: "name" }, customer.name, customer.salutation ? el("span", { class: "muted small" }, " ", labels.salutations[customer.salutation] || customer.salutation) : null),
        el("p", { class: "small" }, customer.level_reason ? t("%(level)s 级：%(reason)s", { level: customer.level, reason: customer.level_reason }) : t("%(level)s 级客户", { level: customer.level })),
        el("p", { class: "muted small num" }, [customer.store, ...customer.phones_masked].filter(Boolean).join(" · ")),
      ),
    ),
    el("div", { class: "flags" }, flags, pop.lookup === "several" ? el("button", { class: "button compact", type: "button", on: { click: () => actions.choose(null) } }, t("换一位客户")) : null),
    customer.projects.length ? customer.projects.map((project) => projectBlock(project, labels)) : el("p", { class: "empty project" }, t("没有登记项目。")),
    el("p", { class: "project" }, el("a", { href: `/customers/${encodeURIComponent(customer.customer_id)}`, target: "_blank", rel: "noopener" }, t("打开客户全部记录"))),
  ];
}

function projectBlock(project, labels) {
  const facts = [
    [t("施工队"), project.crew ? [project.crew, project.crew_status && project.crew_status !== "active" ? el("span", { class: "chip", dataset: { tone: "brick" } }, labels.crew_statuses[project.crew_status] || project.crew_status) : null] : t("未派")],
    [t("项目经理"), project.project_manager || "–"],
    [t("设计师"), project.designer || "–"],
    [t("质检"), project.inspector || "–"],
    [t("合同号"), project.contract_no],
    [t("保修至"), project.warranty_until ? date(project.warranty_until) : "–"],
  ];
  return el("div", { class: "project" },
    el("div", { class: "card-head" }, el("h3", { class: "wrap" }, project.address), el("span", { class: "chip", dataset: { tone: project.stage < 0 ? "brick" : "green" } }, stageLabel(project, labels))),
    project.stage < 0 ? null : stageSteps(project.stage),
    el("dl", { class: "facts" }, facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
  );
}

const stageLabel = (project, labels) => labels.stages[String(project.stage)] || project.stage_label;

function stageSteps(stage) {
  const reached = STEPS.filter(([rank]) => stage >= rank).length;
  return el("ol", { class: "stages" }, STEPS.map(([, label], index) =>
    el("li", { dataset: { step: index + 1 < reached ? "done" : index + 1 === reached ? "now" : "ahead" }, "aria-current": index + 1 === reached ? "step" : null }, label())));
}

function choices(pop, labels, actions) {
  return [
    el("h2", {}, t("这个号码属于 %(n)s 位客户，来电的是哪一位？", { n: pop.customers.length })),
    el("p", { class: "muted small num" }, pop.number),
    el("div", { class: "choices" },
      pop.customers.slice(0, 9).map((customer, index) =>
        el("button", { class: "choice", type: "button", on: { click: () => actions.choose(customer.customer_id) } },
          el("kbd", {}, String(index + 1)),
          levelBadge(customer),
          el("span", { class: "wrap" }, el("b", {}, customer.name), " ", labels.salutations[customer.salutation] || "",
            el("span", { class: "muted small wrap" }, el("br"), customer.projects.map((project) => `${project.address} · ${stageLabel(project, labels)}`).join(labels.list_comma) || t("没有登记项目。")),
            customer.open_cases.length ? el("span", { class: "chip", dataset: { tone: "amber" } }, t("未结 %(n)s 件", { n: customer.open_cases.length })) : null),
        )),
      el("button", { class: "choice", type: "button", on: { click: () => actions.choose("") } }, el("kbd", {}, "0"), el("span"), el("span", {}, t("都不是"))),
    ),
  ];
}

function newcomer(pop, actions) {
  const value = actions.newcomer.read();
  const field = (name, label, props = {}, wide = false) =>
    el("div", { class: wide ? "field wide" : "field" }, el("label", { for: `new-${name}` }, label),
      el("input", { id: `new-${name}`, type: "text", maxlength: 120, value: value[name] || "", autocomplete: "off", on: { input: (event) => actions.newcomer.write(name, event.target.value) }, ...props }));
  const title = el("select", { id: "new-salutation", on: { change: (event) => actions.newcomer.write("salutation", event.target.value) } },
    [["", t("称呼")], ["先生", t("先生")], ["女士", t("女士")]].map(([code, label]) => el("option", { value: code, selected: code === (value.salutation || "") }, label)));
  return [
    el("h2", {}, t("新客户：这个号码没有登记")),
    el("p", { class: "muted" }, t("请问清姓名和地址。填写的内容会和小结一起保存。")),
    el("div", { class: "newcomer" },
      el("div", { class: "field wide" }, el("label", { for: "new-number" }, t("来电号码")), el("input", { id: "new-number", class: "num", type: "text", readonly: true, value: pop.number || t("号码未知") })),
      field("name", t("姓名")),
      el("div", { class: "field" }, el("label", { for: "new-salutation" }, t("称呼")), title),
      field("address", t("小区、楼栋、房号"), {}, true),
      field("contract_no", t("合同号（如果知道）"), {}, true),
    ),
    pop.lookup === "several" ? el("p", { class: "project" }, el("button", { class: "button compact", type: "button", on: { click: () => actions.choose(null) } }, t("回到客户选择"))) : null,
  ];
}

/** True where nobody but the agent knows which open case the call is about: with one it is counted by itself. */
const mustSayWhich = (pop, cases) => pop?.direction === "in" && (cases.length > 1 || (cases.length === 1 && pop.lookup === "several"));

function againButton(item, pop, actions) {
  if (pop.about.includes(item.case_id)) return el("span", { class: "chip", dataset: { tone: "green" } }, t("这次来电已记上"));
  const press = async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    await actions.calledAgain(item.case_id).catch(() => (button.disabled = false));
  };
  return el("button", { class: "button compact", type: "button", on: { click: press } }, t("客户再次来电"));
}

function drawCases(customer, labels, pop, actions) {
  const cases = customer?.open_cases || [];
  const asks = mustSayWhich(pop, cases);
  byId("cases-which").hidden = !asks || pop.about.length > 0;
  fill(byId("cases"), cases.map((item) => el("li", {},
    el("div", { class: "line" }, el("b", {}, labels.case_kinds[item.kind] || item.kind_label), el("span", { class: "chip", dataset: { tone: item.kind === "complaint" ? "amber" : "blue" } }, labels.case_statuses[item.status] || item.status_label)),
    el("p", { class: "wrap" }, item.summary),
    el("p", { class: "muted small num" },
      el("a", { href: `/cases/${encodeURIComponent(item.case_id)}${pop ? `?call=${encodeURIComponent(pop.call_id)}` : ""}`, target: "_blank", rel: "noopener" }, item.no),
      [" ", item.department, date(item.opened_at)].filter(Boolean).join(" · ")),
    asks ? el("p", {}, againButton(item, pop, actions)) : null,
  )), cases.length ? null : el("li", { class: "empty" }, customer ? t("没有未结的投诉或报修。") : t("接到来电后显示。")));
}

function drawContacts(customer, labels) {
  const contacts = customer?.recent_contacts || [];
  fill(byId("contacts"), contacts.map((item) => el("li", {},
    el("div", { class: "line" }, el("b", { class: "num" }, dateTime(item.at)), el("span", { class: "muted small" }, labels.contact_kinds[item.channel] || labels.directions[item.direction] || item.direction)),
    el("p", {}, [labels.dispositions[item.disposition] || labels.contact_results[item.channel]?.[item.result] || item.result, item.agent].filter(Boolean).join(" · ")),
    item.notes ? el("p", { class: "muted small wrap" }, item.notes) : null,
  )), contacts.length ? null : el("li", { class: "empty" }, customer ? t("以前没有联系过。") : t("接到来电后显示。")));
}
