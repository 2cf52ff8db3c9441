// All pools of an evaluation: a table to sort and search, and the chart of price against risk.

import { get } from "../api.js";
import { el } from "./dom.js";
import { UNKNOWN, hourly, share } from "./format.js";
import { RiskChart } from "./charts/riskchart.js";

const ROWS = 100;

export class Candidates {
  #card;
  #words;
  #told;
  #chart;
  #sort = { key: "expected_cost", isDown: false };
  #kind = "kept";
  #most = ROWS;

  /** `words` say why a pool was rejected, by reason. */
  constructor(card, words) {
    this.#card = card;
    this.#words = words;
    const box = card.querySelector("[data-chart]");
    this.#chart = new RiskChart(box, card.querySelector("[data-said]"));
    this.#on("[data-sort]", "click", ({ currentTarget }) => this.#sortBy(currentTarget.dataset.sort));
    this.#on("[name=kind]", "change", ({ currentTarget }) => this.#choose(currentTarget.value));
    this.#on("[name=find]", "input", () => this.#again());
    this.#on("[data-more]", "click", () => this.#more());
  }

  /** Fetch all pools: the page brings the ten best only. */
  async load(path) {
    const say = (text) => (this.#card.querySelector("[data-message]").textContent = text);
    try {
      this.#told = await get(path);
      this.#card.querySelector("[data-tools]").hidden = false;
      this.#again();
      say("");
    } catch (refusal) {
      say(`Only the ten best are shown. ${refusal.detail ?? "Load this page again."}`);
    }
  }

  #on(selector, kind, act) {
    for (const each of this.#card.querySelectorAll(selector)) each.addEventListener(kind, act);
  }

  #sortBy(key) {
    const isDown = this.#sort.key === key ? !this.#sort.isDown : false;
    this.#sort = { key, isDown };
    if (this.#told) this.#again();
  }

  #choose(kind) {
    this.#kind = kind;
    this.#again();
  }

  #again() {
    this.#most = ROWS;
    this.#render();
    this.#chart.show(this.#inChart(), (pool) => this.#mark(pool));
  }

  #more() {
    const first = this.#most;
    this.#most += ROWS;
    this.#render();
    this.#card.querySelectorAll("tbody tr")[first]?.focus();
  }

  #found() {
    const isRejected = this.#kind === "rejected";
    const text = this.#card.querySelector("[name=find]").value.trim().toLowerCase();
    const found = this.#told.pools.filter(
      (pool) => Boolean(pool.rejected_because) === isRejected && nameOf(pool).includes(text),
    );
    return sorted(found, this.#sort, this.#words);
  }

  #inChart() {
    const found = this.#found();
    const marked = [this.#told.current, this.#told.target].filter(Boolean);
    const missing = marked.filter((pool) => !found.some((other) => isSame(pool, other)));
    return [...missing, ...found];
  }

  #mark(pool) {
    if (isSame(pool, this.#told.target)) return "target";
    return isSame(pool, this.#told.current) ? "current" : "";
  }

  #render() {
    const found = this.#found();
    const rows = found.slice(0, this.#most).map((pool) => this.#row(pool));
    this.#card.querySelector("tbody").replaceChildren(...rows);
    for (const button of this.#card.querySelectorAll("[data-sort]")) {
      const isBy = button.dataset.sort === this.#sort.key;
      const order = this.#sort.isDown ? "descending" : "ascending";
      if (isBy) button.closest("th").setAttribute("aria-sort", order);
      else button.closest("th").removeAttribute("aria-sort");
    }
    const more = this.#card.querySelector("[data-more]");
    more.hidden = found.length <= this.#most;
    more.textContent = `Show ${Math.min(ROWS, found.length - this.#most)} more`;
    const shown = Math.min(this.#most, found.length);
    const text = `${shown} of ${found.length} ${this.#kind} pools`;
    this.#card.querySelector("[data-shown]").textContent = found.length ? text : "No pool matches.";
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
      exact(pool.price, hourly),
      exact(pool.discount, share),
      el("td", { class: "number" }, bandOf(pool)),
      exact(pool.crash_probability, share),
      exact(pool.expected_cost, hourly),
      exact(pool.score, (value) => (value == null ? UNKNOWN : value.toFixed(3))),
      el("td", { class: "why" }, whyOf(pool, this.#words)),
    );
  }
}

/** A cell that says a number as people read it, and in its title as it is. */
function exact(value, format) {
  return el("td", { class: "number", title: value == null ? null : String(value) }, format(value));
}

function bandOf(pool) {
  return pool.interruption_rate?.replace("-", "–").replace("%", "\u00a0%") ?? UNKNOWN;
}

function whyOf(pool, words) {
  const why = pool.rejected_because;
  const because = why ? `${words[why] ?? why.replaceAll("_", " ")}. ` : "";
  return because + (pool.would_win_if ?? (because ? "" : "The choice."));
}

const nameOf = (pool) =>
  `${pool.instance_type} ${pool.availability_zone} ${pool.purchase.replace("_", " ")}`;

function isSame(one, other) {
  const keys = ["instance_type", "availability_zone_id", "purchase"];
  return Boolean(other) && keys.every((key) => one[key] === other[key]);
}

function sorted(pools, { key, isDown }, words) {
  const valueOf = {
    pool: nameOf,
    size: (pool) => pool.vcpu * 1e6 + pool.memory_gib,
    // "<5%" comes before "5-10%", ">20%" last.
    interruption_rate: ({ interruption_rate: band }) =>
      band == null ? null : band.startsWith("<") ? 0 : parseFloat(band.replace(">", "")),
    why: (pool) => whyOf(pool, words),
  }[key] ?? ((pool) => pool[key]);
  const factor = isDown ? -1 : 1;
  return pools
    .map((pool) => [valueOf(pool), pool])
    .sort(([a], [b]) => {
      // What is unknown comes last, whichever way.
      if (a == null || b == null) return (a == null) - (b == null);
      return factor * (typeof a === "string" ? a.localeCompare(b) : a - b);
    })
    .map(([, pool]) => pool);
}
