// The time that a session has left, by the server's clock.

import { duration } from "./format.js";

const SOON = 5 * 60; // [s]

export class Countdown {
  #ahead = 0; // [ms] of the server's clock before ours
  #isOver = false;
  #over;

  /** `over()` is called when the time runs out. */
  constructor(over) {
    this.#over = over;
    setInterval(() => this.show(), 1000);
  }

  /** Learn what time it is on the server. */
  set(now) {
    this.#ahead = now.getTime() - Date.now();
    this.show();
  }

  show() {
    const element = document.querySelector("[data-expires-at]");
    if (!element || element.dataset.isActive !== "true") return;
    const left = (Date.parse(element.dataset.expiresAt) - Date.now() - this.#ahead) / 1000;
    element.textContent = left > 0 ? `${duration(left)} left` : "Time is over";
    element.dataset.tone = left > SOON ? "info" : "warn";
    if (left <= 0 && !this.#isOver) {
      this.#isOver = true;
      this.#over();
    }
  }
}
