// Shows the state of the live stream, so that a lost connection is visible.

import { el } from "./dom.js";

const LABELS = {
  connecting: ["Connecting…", "info"],
  live: ["Live", "good"],
  waiting: ["Reconnecting", "warn"],
  ended: ["Ended", ""],
  stopped: ["Not live", "bad"],
};

export class Connection {
  #pill;
  #count;
  #detail;
  #timer;

  constructor(root, retry) {
    this.#pill = root.querySelector("[data-connection]");
    this.#count = el("span", { "aria-hidden": "true" });
    this.#detail = root.querySelector("[data-connection-detail]");
    root.querySelector("[data-retry]").addEventListener("click", retry);
    this.retry = root.querySelector("[data-retry]");
  }

  show(state) {
    const [label, tone] = LABELS[state.name];
    clearInterval(this.#timer);
    this.#pill.dataset.tone = tone;
    this.#pill.dataset.connection = state.name;
    this.#pill.replaceChildren(label, this.#count);
    this.#count.textContent = "";
    this.retry.hidden = state.name !== "waiting";
    this.#explain(state);
    if (state.name !== "waiting") return;
    const tick = () => this.#countDown(state.at);
    this.#timer = setInterval(tick, 250);
    tick();
  }

  #countDown(at) {
    const seconds = Math.max(0, Math.ceil((at - Date.now()) / 1000));
    const text = `\u00a0in ${seconds} s`;
    if (this.#count.textContent !== text) this.#count.textContent = text;
  }

  #explain(state) {
    const reason = state.wasTooSlow ? "This page received lines too slowly. No lines were lost." : "";
    this.#detail.textContent = state.detail ?? reason;
    this.#detail.hidden = !this.#detail.textContent;
  }
}
