// The session's remaining time, by the server's clock.

import { duration } from "./format.js";

const SOON = 5 * 60; // [s]

export class Countdown {
  #offset = 0; // [ms] server's clock minus the browser's
  #isExpired = false;
  #onExpired;

  /** `onExpired()` is called when the session expires. */
  constructor(onExpired) {
    this.#onExpired = onExpired;
    setInterval(() => this.show(), 1000);
  }

  /** Set the server's current time. */
  set(now) {
    this.#offset = now.getTime() - Date.now();
    this.show();
  }

  show() {
    const element = document.querySelector("[data-expires-at]");
    if (!element || element.dataset.isActive !== "true") return;
    const left = (Date.parse(element.dataset.expiresAt) - Date.now() - this.#offset) / 1000;
    element.textContent = left > 0 ? `${duration(left)} left` : "Expired";
    element.dataset.tone = left > SOON ? "info" : "warn";
    if (left <= 0 && !this.#isExpired) {
      this.#isExpired = true;
      this.#onExpired();
    }
  }
}
