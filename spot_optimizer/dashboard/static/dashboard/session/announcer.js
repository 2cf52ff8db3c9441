// Screen reader announcements: important lines at once, others as a count every few seconds.

const INTERVAL = 8000; // [ms]

export class Announcer {
  #element;
  #count = 0;
  #timer = null;

  constructor(element) {
    this.#element = element;
  }

  announce(text) {
    this.#count = 0;
    this.#element.textContent = text;
  }

  /** Count a line; lines within a pause are announced together. */
  line() {
    this.#count += 1;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (this.#count) this.announce(`${this.#count} new lines in the log.`);
    }, INTERVAL);
  }
}
