// The live log: all lines are in memory, a window of them is in the page.

import { el, oncePerFrame } from "./dom.js";
import { moment, timeOfDay, utc } from "./format.js";

const WINDOW = 400; // rows in the page while it follows
const MAX_ROWS = 4 * WINDOW;
const STRIDE = 2000; // lines between two redraws during a replay
const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR"];
const TYPES = { decision: "DECISION", progress: "SWITCH" }; // other types are SYSTEM

export class LogView {
  #root;
  #list;
  #lines = [];
  #matching = [];
  #first = 0; // index in #matching of the first row in the page
  #next = 0; // index after the last one
  #seen = 0; // number of lines when paused
  #isPaused = false;
  #isFollowing = true;
  #replayedTo = 0;
  #filters = { type: "", level: -1, text: "" };
  #draw = oncePerFrame(() => this.#render());

  constructor(root) {
    this.#root = root;
    this.#list = root.querySelector("[role=log]");
    this.#on("[name=type], [name=level]", "change", () => this.#filter());
    this.#on("[name=text]", "input", () => this.#filter());
    this.#on("[data-clear-filters]", "click", () => this.#clearFilters());
    this.#on("[data-pause]", "click", () => this.#pause(!this.#isPaused));
    this.#on("[data-follow]", "click", () => this.#follow());
    this.#on("[data-earlier]", "click", () => this.#showEarlier());
    this.#list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#filter(); // a browser may restore the filters after a reload
  }

  add(line) {
    this.#lines.push(line);
    if (this.#matches(line)) this.#matching.push(line);
    if (line.seq >= this.#replayedTo || line.seq % STRIDE === 0) this.#draw();
  }

  /** Redraw less often up to this line: a replay delivers many lines at once. */
  catchUp(seq) {
    this.#replayedTo = seq;
    this.#draw();
  }

  clear() {
    this.#lines = [];
    this.#filter();
  }

  #on(selector, type, listener) {
    for (const each of this.#root.querySelectorAll(selector)) each.addEventListener(type, listener);
  }

  #value(name) {
    return this.#root.querySelector(`[name=${name}]`).value;
  }

  #matches(line) {
    const { type, level, text } = this.#filters;
    return (
      (!type || typeOf(line) === type) &&
      LEVELS.indexOf(line.level ?? "INFO") >= level &&
      (!text || textOf(line).toLowerCase().includes(text))
    );
  }

  #filter() {
    this.#filters = {
      type: this.#value("type"),
      level: LEVELS.indexOf(this.#value("level")),
      text: this.#value("text").trim().toLowerCase(),
    };
    this.#matching = this.#lines.filter((line) => this.#matches(line));
    this.#empty();
    this.#isFollowing = true;
    this.#render({ ignorePause: true });
  }

  #clearFilters() {
    for (const name of ["type", "level", "text"]) {
      this.#root.querySelector(`[name=${name}]`).value = "";
    }
    this.#filter();
    this.#root.querySelector("[name=text]").focus();
  }

  #empty() {
    this.#list.replaceChildren();
    this.#first = this.#next = Math.max(0, this.#matching.length - WINDOW);
  }

  #pause(isPaused) {
    this.#isPaused = isPaused;
    this.#seen = this.#lines.length;
    if (!isPaused) this.#isFollowing = true;
    this.#render();
  }

  #follow() {
    this.#isFollowing = true;
    if (this.#isPaused) this.#pause(false);
    else this.#render();
  }

  #showEarlier() {
    const from = Math.max(0, this.#first - WINDOW);
    const height = this.#list.scrollHeight;
    this.#isFollowing = false;
    this.#list.prepend(...this.#matching.slice(from, this.#first).map(rowOf));
    this.#first = from;
    this.#updateStatus();
    // Scroll to the end of the earlier lines: at the bottom it would follow and remove them again.
    this.#list.scrollTop = this.#list.scrollHeight - height - this.#list.clientHeight / 2;
    this.#list.focus();
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    const wasFollowing = this.#isFollowing;
    this.#isFollowing = scrollHeight - scrollTop - clientHeight < 32;
    if (wasFollowing !== this.#isFollowing) this.#draw();
  }

  #render({ ignorePause = false } = {}) {
    if (!this.#isPaused || ignorePause) this.#append();
    this.#updateStatus();
    // Last, because showing or hiding a button changes the height of the list.
    if (this.#isFollowing && !this.#isPaused) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #append() {
    const total = this.#matching.length;
    if (this.#isFollowing && total - this.#next >= WINDOW) this.#empty();
    const until = this.#isFollowing ? total : Math.min(total, this.#first + MAX_ROWS);
    if (until > this.#next) {
      this.#list.append(...this.#matching.slice(this.#next, until).map(rowOf));
      this.#next = until;
    }
    while (this.#isFollowing && this.#next - this.#first > WINDOW) {
      this.#list.firstElementChild.remove();
      this.#first += 1;
    }
  }

  #updateStatus() {
    const total = this.#lines.length;
    const found = this.#matching.length;
    const waiting = this.#isPaused ? total - this.#seen : 0;
    this.#text("[data-count]", found === total ? `${total} lines` : `${found} of ${total} lines`);
    this.#text("[data-pause]", this.#isPaused ? `Resume (${waiting} new)` : "Pause");
    this.#root.querySelector("[data-pause]").setAttribute("aria-pressed", this.#isPaused);
    this.#show("[data-follow]", !this.#isFollowing && !this.#isPaused);
    this.#show("[data-earlier]", this.#first > 0);
    this.#text("[data-earlier]", `Show earlier lines (${this.#first})`);
    this.#show("[data-no-lines]", total === 0);
    this.#show("[data-no-match]", total > 0 && found === 0);
  }

  #text(selector, text) {
    const element = this.#root.querySelector(selector);
    if (element.textContent !== text) element.textContent = text;
  }

  #show(selector, isShown) {
    this.#root.querySelector(selector).hidden = !isShown;
  }
}

export function typeOf(line) {
  return line.log_type ?? TYPES[line.type] ?? "SYSTEM";
}

export function textOf(line) {
  if (line.type === "decision") {
    return `Decided: ${line.evaluation.decision}. ${line.evaluation.reason}`;
  }
  if (line.type === "status") return `Session state: ${line.state.replaceAll("_", " ")}.`;
  if (line.type === "session_ended") return `Session ended (${line.reason}).`;
  if (line.type === "progress") return `${line.step}: ${line.percent} %`;
  return line.message;
}

function rowOf(line) {
  const at = new Date(line.timestamp);
  const title = `${moment(at)}; ${utc(at)}`;
  const isHighlighted = line.level === "WARNING" || line.level === "ERROR";
  return el(
    "div",
    { class: "log-line", "data-level": line.level ?? "INFO", "data-seq": line.seq },
    el("time", { datetime: line.timestamp, title }, timeOfDay(at)),
    el(
      "span",
      { class: "log-text" },
      el("span", { class: "log-type" }, typeOf(line)),
      " ",
      isHighlighted ? el("strong", { class: "log-level" }, `${line.level} `) : null,
      textOf(line),
    ),
  );
}
