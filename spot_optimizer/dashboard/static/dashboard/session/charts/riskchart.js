// Price against risk: a point for each pool, the current and the target pool marked.

import { svg } from "../dom.js";
import { hourly, share, usd } from "../format.js";
import { SIZE, Tooltip, decades, linear, logarithmic, plot, pointIn, ticks, widthOf } from "./plot.js";

const MAX_DISTANCE = 28; // from the pointer to the point that it selects

export class RiskChart {
  #box;
  #announcement;
  #tooltip;
  #points = [];
  #at = -1;
  #chart;
  #drawn = null;

  /** `announcement` is the element for screen readers that describes the selected point. */
  constructor(box, announcement) {
    this.#box = box;
    this.#announcement = announcement;
    this.#tooltip = new Tooltip(box);
    box.addEventListener("pointermove", (event) => this.#hover(event));
    box.addEventListener("pointerleave", () => this.#leave());
    box.addEventListener("blur", () => this.#leave());
    box.addEventListener("keydown", (event) => this.#onKey(event));
    new ResizeObserver(() => this.#resize()).observe(box);
  }

  /** Show `pools` in their order; `isMarked(pool)` returns "current", "target" or "". */
  show(pools, isMarked) {
    this.#drawn = [pools, isMarked];
    this.#draw();
  }

  #resize() {
    if (this.#drawn && this.#chart?.viewBox.baseVal.width !== widthOf(this.#box)) this.#draw();
  }

  #draw() {
    const [pools, isMarked] = this.#drawn;
    this.#chart?.remove();
    this.#chart = null;
    this.#points = [];
    this.#leave();
    const known = pools.filter((pool) => pool.price > 0 && pool.crash_probability != null);
    if (!known.length) return;
    const width = widthOf(this.#box);
    const { x, y } = axesFor(known, width);
    this.#chart = plot(width, x, y);
    this.#points = known.map((pool) => {
      const mark = isMarked(pool);
      return { pool, mark, x: x.scale(pool.crash_probability), y: y.scale(pool.price) };
    });
    const rank = { "": 0, current: 1, target: 2 }; // marks lie above the others
    const inOrder = [...this.#points].sort((a, b) => rank[a.mark] - rank[b.mark]);
    const marks = inOrder.map((point) => markOf(point, width));
    this.#chart.append(...marks, svg("circle", { class: "halo", r: 9 }));
    this.#box.prepend(this.#chart);
  }

  #hover(event) {
    if (!this.#chart) return;
    const [x, y] = pointIn(this.#chart, event);
    let nearest = -1;
    let distance = MAX_DISTANCE;
    this.#points.forEach((point, index) => {
      const gap = Math.hypot(point.x - x, point.y - y) - (point.mark ? 6 : 0);
      if (gap < distance) [nearest, distance] = [index, gap];
    });
    if (nearest < 0) this.#leave();
    else this.#point(nearest);
  }

  #onKey(event) {
    const last = this.#points.length - 1;
    const to = {
      ArrowRight: Math.min(last, this.#at + 1),
      ArrowLeft: Math.max(0, this.#at - 1),
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Escape") this.#leave();
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.#point(to);
    this.#announcement.textContent = textFor(this.#points[to]).join(", ");
  }

  #point(index) {
    const point = this.#points[index];
    this.#at = index;
    const halo = this.#chart.querySelector(".halo");
    halo.setAttribute("cx", point.x);
    halo.setAttribute("cy", point.y);
    halo.classList.add("shown");
    this.#tooltip.show(this.#chart, point.x, point.y, textFor(point));
  }

  #leave() {
    this.#at = -1;
    this.#tooltip.hide();
    this.#chart?.querySelector(".halo").classList.remove("shown");
  }
}

function axesFor(pools, width) {
  const prices = pools.map(({ price }) => price);
  const [low, high] = [Math.min(...prices) / 1.15, Math.max(...prices) * 1.15];
  const worst = Math.max(...pools.map((pool) => pool.crash_probability), 1e-6) * 1.04;
  const { height, left, right, top, bottom } = SIZE;
  const isNarrow = width < 480;
  const priced = decades(low, high);
  return {
    x: {
      scale: linear([0, worst], [left + 12, width - right]),
      ticks: ticks(0, worst, isNarrow ? 3 : 6),
      format: share,
      title: "Interruption probability within one hour",
    },
    y: {
      scale: logarithmic([low, high], [height - bottom, top + 8]),
      ticks: priced.length > 1 ? priced : ticks(low, high, 4),
      format: (value) => usd(value, value < 0.1 ? 3 : 2),
      title: "Price, USD per hour (logarithmic)",
    },
  };
}

function markOf({ pool, mark, x, y }, width) {
  if (mark) {
    const [symbol, text] = mark === "current" ? [diamond(x, y), "Now"] : [ring(x, y), "Target"];
    return svg("g", { class: `mark ${mark}` }, ...symbol, labelOf(text, x, y, width));
  }
  const kind = pool.rejected_because ? "rejected" : pool.purchase;
  return svg("circle", { class: `pool ${kind}`, cx: x, cy: y, r: 3.5 });
}

function diamond(x, y, r = 8) {
  return [svg("path", { d: `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z` })];
}

function ring(cx, cy) {
  return [svg("circle", { cx, cy, r: 8 }), svg("circle", { class: "core", cx, cy, r: 3 })];
}

function labelOf(text, x, y, width) {
  const isAtEnd = x > width - 80;
  const place = { x: isAtEnd ? x - 13 : x + 13, "text-anchor": isAtEnd ? "end" : "start" };
  return svg("text", { class: "label", y: y + 4, ...place }, text);
}

function textFor({ pool, mark }) {
  const purchase = pool.purchase === "spot" ? "spot" : "on demand";
  const name = `${pool.instance_type} in ${pool.availability_zone} (${purchase})`;
  return [
    mark ? `${name}, ${mark === "target" ? "the target" : "now"}` : name,
    `${hourly(pool.price)}, including risk and switching ${hourly(pool.expected_cost)}`,
    `${share(pool.crash_probability)} per hour`,
  ];
}
