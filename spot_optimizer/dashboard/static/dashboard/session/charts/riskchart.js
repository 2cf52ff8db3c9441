// Price against risk: each pool a point, the machine's own and the target marked.

import { svg } from "../dom.js";
import { hourly, share, usd } from "../format.js";
import { SIZE, Tooltip, decades, linear, logarithmic, plot, pointIn, ticks, widthOf } from "./plot.js";

const NEAR = 28; // how far from a point the pointer still means it

export class RiskChart {
  #box;
  #said;
  #tooltip;
  #points = [];
  #at = -1;
  #chart;
  #drawn = null;

  /** `said` is the element in which a point that is walked to is said in words. */
  constructor(box, said) {
    this.#box = box;
    this.#said = said;
    this.#tooltip = new Tooltip(box);
    box.addEventListener("pointermove", (event) => this.#hover(event));
    box.addEventListener("pointerleave", () => this.#leave());
    box.addEventListener("blur", () => this.#leave());
    box.addEventListener("keydown", (event) => this.#walk(event));
    new ResizeObserver(() => this.#again()).observe(box);
  }

  /** Show `pools` in their order; `isMarked(pool)` returns "current", "target" or "". */
  show(pools, isMarked) {
    this.#drawn = [pools, isMarked];
    this.#draw();
  }

  #again() {
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
    const shapes = inOrder.map((point) => shapeOf(point, width));
    this.#chart.append(...shapes, svg("circle", { class: "halo", r: 9 }));
    this.#box.prepend(this.#chart);
  }

  #hover(event) {
    if (!this.#chart) return;
    const [x, y] = pointIn(this.#chart, event);
    let nearest = -1;
    let distance = NEAR;
    this.#points.forEach((point, index) => {
      const away = Math.hypot(point.x - x, point.y - y) - (point.mark ? 6 : 0);
      if (away < distance) [nearest, distance] = [index, away];
    });
    if (nearest < 0) this.#leave();
    else this.#point(nearest);
  }

  #walk(event) {
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
    this.#said.textContent = wordsFor(this.#points[to]).join(", ");
  }

  #point(index) {
    const point = this.#points[index];
    this.#at = index;
    const halo = this.#chart.querySelector(".halo");
    halo.setAttribute("cx", point.x);
    halo.setAttribute("cy", point.y);
    halo.classList.add("shown");
    this.#tooltip.show(this.#chart, point.x, point.y, wordsFor(point));
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
  const few = width < 480;
  const priced = decades(low, high);
  return {
    x: {
      scale: linear([0, worst], [left + 12, width - right]),
      ticks: ticks(0, worst, few ? 3 : 6),
      format: share,
      title: "Chance of an interruption within an hour",
    },
    y: {
      scale: logarithmic([low, high], [height - bottom, top + 8]),
      ticks: priced.length > 1 ? priced : ticks(low, high, 4),
      format: (value) => usd(value, value < 0.1 ? 3 : 2),
      title: "Price, USD an hour (logarithmic)",
    },
  };
}

function shapeOf({ pool, mark, x, y }, width) {
  if (mark) {
    const [shape, word] = mark === "current" ? [diamond(x, y), "Now"] : [ring(x, y), "Target"];
    return svg("g", { class: `mark ${mark}` }, ...shape, labelOf(word, x, y, width));
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

function wordsFor({ pool, mark }) {
  const purchase = pool.purchase === "spot" ? "spot" : "on demand";
  const name = `${pool.instance_type} in ${pool.availability_zone} (${purchase})`;
  return [
    mark ? `${name}, ${mark === "target" ? "the target" : "now"}` : name,
    `${hourly(pool.price)}, with risk and move ${hourly(pool.expected_cost)}`,
    `${share(pool.crash_probability)} an hour`,
  ];
}
