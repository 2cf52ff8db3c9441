// Price history of the current and the target pool: steps, as a price holds until the next one.

import { el, svg } from "../dom.js";
import { hourly, moment, usd, utc } from "../format.js";
import { SIZE, Tooltip, linear, plot, pointIn, ticks, widthOf } from "./plot.js";

const DAY = 86_400_000; // [ms]
const byDay = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

export class PriceChart {
  #box;
  #announcement;
  #tooltip;
  #chart;
  #series = [];
  #span = [0, 0];
  #scale;
  #moments = [];
  #at = -1;

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

  /** `series` are {name, kind, changes: [{at, price}, …] oldest first}; `span` is [from, to]. */
  show(series, span) {
    this.#series = series.filter(({ changes }) => changes.length);
    this.#span = span;
    const all = this.#series.flatMap(({ changes }) => changes.map(({ at }) => Math.max(at, span[0])));
    this.#moments = [...new Set([...all, span[1]])].sort((a, b) => a - b);
    this.#draw();
  }

  #resize() {
    if (this.#chart && this.#chart.viewBox.baseVal.width !== widthOf(this.#box)) this.#draw();
  }

  #draw() {
    this.#chart?.remove();
    this.#chart = null;
    this.#leave();
    if (!this.#series.length) return;
    const width = widthOf(this.#box);
    const { x, y } = this.#axes(width);
    this.#scale = { x: x.scale, y: y.scale };
    this.#chart = plot(width, x, y);
    for (const each of this.#series) {
      this.#chart.append(svg("path", { class: `steps ${each.kind}`, d: this.#steps(each.changes) }));
    }
    this.#chart.append(svg("line", { class: "cursor", y1: SIZE.top, y2: SIZE.height - SIZE.bottom }));
    this.#box.prepend(this.#chart);
  }

  #axes(width) {
    const prices = this.#series.flatMap(({ changes }) => changes.map(({ price }) => price));
    const [min, max] = [Math.min(...prices), Math.max(...prices)];
    const room = (max - min || max * 0.2) * 0.12;
    const [low, high] = [Math.max(0, min - room), max + room];
    const [from, to] = this.#span;
    const { height, left, right, top, bottom } = SIZE;
    const every = Math.ceil((to - from) / DAY / (width < 480 ? 4 : 9)) * DAY;
    const days = [];
    for (let day = nextMidnight(from); day <= to; day += every) days.push(day);
    return {
      x: {
        scale: linear([from, to], [left, width - right]),
        ticks: days,
        format: (at) => byDay.format(at),
        title: "",
      },
      y: {
        scale: linear([low, high], [height - bottom, top + 8]),
        ticks: ticks(low, high, 4),
        format: (value) => usd(value, high < 1 ? 4 : 2),
        title: "Price, USD per hour (axis not from zero)",
      },
    };
  }

  #steps(changes) {
    const { x, y } = this.#scale;
    const [from, to] = this.#span;
    let path = "";
    for (const { at, price } of changes) {
      path += path ? `H${x(at)}V${y(price)}` : `M${x(Math.max(at, from))} ${y(price)}`;
    }
    return `${path}H${x(to)}`;
  }

  #hover(event) {
    if (!this.#chart) return;
    const [x] = pointIn(this.#chart, event);
    const [from, to] = this.#span;
    const share = (x - this.#scale.x(from)) / (this.#scale.x(to) - this.#scale.x(from));
    if (share < 0 || share > 1) this.#leave();
    else this.#point(from + share * (to - from));
  }

  #onKey(event) {
    const last = this.#moments.length - 1;
    const to = {
      ArrowRight: Math.min(last, this.#at + 1),
      ArrowLeft: Math.max(0, this.#at - 1),
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Escape") this.#leave();
    if (to === undefined || !this.#chart) return;
    event.preventDefault();
    this.#at = to;
    this.#point(this.#moments[to]);
    this.#announcement.textContent = this.#textFor(this.#moments[to]).join(", ");
  }

  #point(at) {
    const cursor = this.#chart.querySelector(".cursor");
    const x = this.#scale.x(at);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.classList.add("shown");
    this.#tooltip.show(this.#chart, x, SIZE.top + 20, this.#textFor(at));
  }

  #textFor(at) {
    const prices = this.#series.map(({ name, changes }) => {
      const current = changes.findLast((change) => change.at <= at);
      return `${name}: ${current ? hourly(current.price) : "unknown"}`;
    });
    return [moment(at), ...prices];
  }

  #leave() {
    this.#at = -1;
    this.#tooltip.hide();
    this.#chart?.querySelector(".cursor").classList.remove("shown");
  }
}

/** The same data as table rows, newest first, for screen readers. */
export function tableRows(series) {
  const all = series.flatMap(({ name, changes }) => changes.map((each) => ({ name, ...each })));
  return all
    .sort((a, b) => b.at - a.at)
    .map(({ name, at, price }) =>
      el(
        "tr",
        {},
        el("td", { title: utc(new Date(at)) }, moment(at)),
        el("td", {}, name),
        el("td", { class: "number" }, hourly(price)),
      ),
    );
}

function nextMidnight(at) {
  const day = new Date(at);
  day.setHours(24, 0, 0, 0);
  return day.getTime();
}
