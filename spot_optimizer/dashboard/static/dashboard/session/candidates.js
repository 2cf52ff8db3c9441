// All pools of an evaluation: a sortable, searchable table and a chart of price against risk.

import { get } from "../api.js";
import { el } from "./dom.js";
import { UNKNOWN, hourly, share } from "./format.js";
import { RiskChart } from "./charts/riskchart.js";

const ROWS = 100;

export class Candidates {
  #card;
  #texts;
  #evaluation;
  #chart;
  #sort = { key: "expected_cost", isDown: false };
  #kind = "kept";
  #limit = ROWS;

  /** `texts` maps rejection codes to texts. */
  constructor(card, texts) {
    this.#card = card;
    this.#texts = texts;
    const box = card.querySelector("[data-chart]");
    this.#chart = new RiskChart(box, card.querySelector("[data-announcement]"));
    this.#on("[data-sort]", "click", ({ currentTarget }) => this.#sortBy(currentTarget.dataset.sort));
    this.#on("[name=kind]", "change", ({ currentTarget }) => this.#choose(currentTarget.value));
    this.#on("[name=find]", "input", () => this.#refresh());
    this.#on("[data-more]", "click", () => this.#more());
  }

  /** Fetch all pools; the page contains only the top ten. */
  async load(path) {
    const setMessage = (text) => (this.#card.querySelector("[data-message]").textContent = text);
    try {
      this.#evaluation = await get(path);
      this.#card.querySelector("[data-tools]").hidden = false;
      this.#refresh();
      setMessage("");
    } catch (error) {
      setMessage(`Only the top ten are shown. ${error.detail ?? "Reload the page."}`);
    }
  }

  #on(selector, type, listener) {
    for (const each of this.#card.querySelectorAll(selector)) each.addEventListener(type, listener);
  }

  #sortBy(key) {
    const isDown = this.#sort.key === key ? !this.#sort.isDown : false;
    this.#sort = { key, isDown };
    if (this.#evaluation) this.#refresh();
  }

  #choose(kind) {
    this.#kind = kind;
    this.#refresh();
  }

  #refresh() {
    this.#limit = ROWS;
    this.#render();
    this.#chart.show(this.#inChart(), (pool) => this.#mark(pool));
  }

  #more() {
    const first = this.#limit;
    this.#limit += ROWS;
    this.#render();
    this.#card.querySelectorAll("tbody tr")[first]?.focus();
  }

  #matching() {
    const isRejected = this.#kind === "rejected";
    const text = this.#card.querySelector("[name=find]").value.trim().toLowerCase();
    const matching = this.#evaluation.pools.filter(
      (pool) => Boolean(pool.rejected_because) === isRejected && nameOf(pool).includes(text),
    );
    return sorted(matching, this.#sort, this.#texts);
  }

  #inChart() {
    const matching = this.#matching();
    const marked = [this.#evaluation.current, this.#evaluation.target].filter(Boolean);
    const missing = marked.filter((pool) => !matching.some((other) => isSame(pool, other)));
    return [...missing, ...matching];
  }

  #mark(pool) {
    if (isSame(pool, this.#evaluation.target)) return "target";
    return isSame(pool, this.#evaluation.current) ? "current" : "";
  }

  #render() {
    const matching = this.#matching();
    const rows = matching.slice(0, this.#limit).map((pool) => this.#row(pool));
    this.#card.querySelector("tbody").replaceChildren(...rows);
    for (const button of this.#card.querySelectorAll("[data-sort]")) {
      const isBy = button.dataset.sort === this.#sort.key;
      const order = this.#sort.isDown ? "descending" : "ascending";
      if (isBy) button.closest("th").setAttribute("aria-sort", order);
      else button.closest("th").removeAttribute("aria-sort");
    }
    const more = this.#card.querySelector("[data-more]");
    more.hidden = matching.length <= this.#limit;
    more.textContent = `Show ${Math.min(ROWS, matching.length - this.#limit)} more`;
    const shown = Math.min(this.#limit, matching.length);
    const text = `${shown} of ${matching.length} ${this.#kind} pools`;
    this.#card.querySelector("[data-shown]").textContent = matching.length ? text : "No pool matches.";
  }

  #row(pool) {
    const mark = this.#mark(pool);
    const purchase = pool.purchase === "spot" ? "spot" : "on demand";
    const tag = mark && el("span", { class: `tag ${mark}` }, mark === "target" ? "target" : "now");
    return el(
      "tr",
      { class: mark || null, tabindex: "-1" },
      el(
        "th",
        { scope: "row" },
        el("span", { class: "pool-name" }, pool.instance_type, tag || null),
        el("span", { class: "pool-where" }, `${pool.availability_zone} · ${purchase}`),
      ),
      el("td", { class: "number" }, `${pool.vcpu} · ${pool.memory_gib}`),
      numberCell(pool.price, hourly),
      numberCell(pool.discount, share),
      el("td", { class: "number" }, rateOf(pool)),
      numberCell(pool.crash_probability, share),
      numberCell(pool.expected_cost, hourly),
      numberCell(pool.score, (value) => (value == null ? UNKNOWN : value.toFixed(3))),
      el("td", { class: "why" }, reasonOf(pool, this.#texts)),
    );
  }
}

/** Return a cell with the formatted number, and the exact one in its title. */
function numberCell(value, format) {
  return el("td", { class: "number", title: value == null ? null : String(value) }, format(value));
}

function rateOf(pool) {
  return pool.interruption_rate?.replace("-", "–").replace("%", "\u00a0%") ?? UNKNOWN;
}

function reasonOf(pool, texts) {
  const code = pool.rejected_because;
  const reason = code ? `${texts[code] ?? code.replaceAll("_", " ")}. ` : "";
  return reason + (pool.would_win_if ?? (reason ? "" : "The choice."));
}

const nameOf = (pool) =>
  `${pool.instance_type} ${pool.availability_zone} ${pool.purchase.replace("_", " ")}`;

function isSame(one, other) {
  const keys = ["instance_type", "availability_zone_id", "purchase"];
  return Boolean(other) && keys.every((key) => one[key] === other[key]);
}

function sorted(pools, { key, isDown }, texts) {
  const valueOf = {
    pool: nameOf,
    size: (pool) => pool.vcpu * 1e6 + pool.memory_gib,
    // "<5%" comes before "5-10%", ">20%" last.
    interruption_rate: ({ interruption_rate: rate }) =>
      rate == null ? null : rate.startsWith("<") ? 0 : parseFloat(rate.replace(">", "")),
    why: (pool) => reasonOf(pool, texts),
  }[key] ?? ((pool) => pool[key]);
  const factor = isDown ? -1 : 1;
  return pools
    .map((pool) => [valueOf(pool), pool])
    .sort(([a], [b]) => {
      // Unknown values are last in both directions.
      if (a == null || b == null) return (a == null) - (b == null);
      return factor * (typeof a === "string" ? a.localeCompare(b) : a - b);
    })
    .map(([, pool]) => pool);
}
