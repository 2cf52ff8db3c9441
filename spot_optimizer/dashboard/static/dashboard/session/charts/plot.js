// Scales, axes and a tooltip for the charts: SVG with colors from the style sheet.

import { el, svg } from "../dom.js";

export const SIZE = { width: 720, height: 320, left: 64, right: 20, top: 16, bottom: 46 };

export function linear([low, high], [from, to]) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

export function logarithmic([low, high], range) {
  const scale = linear([Math.log(low), Math.log(high)], range);
  return (value) => scale(Math.log(value));
}

/** Return round numbers that cover a range, about `count` of them. */
export function ticks(low, high, count = 5) {
  const rough = (high - low || high || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const values = [];
  for (let i = first; i * step <= high * (1 + 1e-9); i += 1) values.push(i * step);
  return values;
}

/** Return 1, 2 and 5 times the powers of ten that lie in a range. */
export function decades(low, high) {
  const values = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const factor of [1, 2, 5]) {
      const value = factor * 10 ** power;
      if (value >= low && value <= high) values.push(value);
    }
  }
  return values;
}

/** Return an empty plot of a width, with its axes; `x` and `y` are {scale, ticks, format, title}. */
export function plot(width, x, y) {
  const { height, left, right, top, bottom } = SIZE;
  const view = { viewBox: `0 0 ${width} ${height}`, class: "plot", "aria-hidden": "true" };
  const [floor, end] = [height - bottom, width - right];
  const axes = svg("g", { class: "axes" });
  for (const value of y.ticks) {
    const at = y.scale(value);
    axes.append(
      svg("line", { class: "rule", x1: left, x2: end, y1: at, y2: at }),
      svg("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, y.format(value)),
    );
  }
  for (const value of x.ticks) {
    const at = x.scale(value);
    axes.append(
      svg("line", { class: "tick", x1: at, x2: at, y1: floor, y2: floor + 5 }),
      svg("text", { x: at, y: floor + 19, "text-anchor": "middle" }, x.format(value)),
    );
  }
  axes.append(
    svg("line", { class: "base", x1: left, x2: end, y1: floor, y2: floor }),
    svg("text", { class: "title", x: end, y: height - 6, "text-anchor": "end" }, x.title),
    svg("text", { class: "title", x: 4, y: top - 4 }, y.title),
  );
  return svg("svg", view, axes);
}

/** Return a chart's width in pixels: its text keeps its size on a phone. */
export function widthOf(box) {
  return Math.max(280, Math.min(1200, box.clientWidth || SIZE.width));
}

/** A box beside a point of the chart, inside `box`, in the units of `chart`'s view. */
export class Tooltip {
  #box;
  #element = el("div", { class: "tooltip", hidden: true, "aria-hidden": "true" });

  constructor(box) {
    this.#box = box;
    box.append(this.#element);
  }

  show(chart, x, y, lines) {
    this.#element.replaceChildren(...lines.map((line) => el("div", {}, line)));
    this.#element.hidden = false;
    const factor = chart.clientWidth / chart.viewBox.baseVal.width;
    const half = this.#element.offsetWidth / 2;
    const left = Math.min(Math.max(x * factor, half), this.#box.clientWidth - half);
    const isHigh = y * factor < this.#element.offsetHeight + 16;
    // Not as a style attribute: the content security policy forbids it.
    this.#element.style.left = `${left}px`;
    this.#element.style.top = `${y * factor + (isHigh ? 14 : -14)}px`;
    this.#element.dataset.below = isHigh;
  }

  hide() {
    this.#element.hidden = true;
  }
}

/** Return the pointer's position in the units of the chart's view. */
export function pointIn(chart, { clientX, clientY }) {
  const { left, top, width } = chart.getBoundingClientRect();
  const factor = chart.viewBox.baseVal.width / width;
  return [(clientX - left) * factor, (clientY - top) * factor];
}
