// What a screen reader hears of the stream: what matters at once, the rest as a count now and then.

const PAUSE = 8000; // [ms]

export class Announcer {
  #element;
  #count = 0;
  #timer = null;

  constructor(element) {
    this.#element = element;
  }

  say(text) {
    this.#count = 0;
    this.#element.textContent = text;
  }

  /** Count a line; a burst of them is one sentence. */
  line() {
    this.#count += 1;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (this.#count) this.say(`${this.#count} new lines in the log.`);
    }, PAUSE);
  }
}
