// The server renders each part of the page; here a part that has changed replaces the old one.

import { signIn } from "../api.js";

export class Parts {
  #shown = new Map();
  #isAsking = false;
  #isAskedAgain = false;
  #swapped;
  #isAhead;

  /**
   * `swapped(names)` is told which parts are new in the page; `isAhead(part)` says whether the page
   * already shows more than this part of the server's answer, which was rendered a moment ago.
   */
  constructor(swapped, isAhead) {
    this.#swapped = swapped;
    this.#isAhead = isAhead;
    this.#remember(document);
  }

  /** Bring the page up to date; asked for while it is being done, it is done once more. */
  async refresh({ force = [] } = {}) {
    for (const name of force) this.#shown.delete(name);
    if (this.#isAsking) {
      this.#isAskedAgain = true;
      return;
    }
    this.#isAsking = true;
    try {
      do {
        this.#isAskedAgain = false;
        const page = await fetchPage();
        if (page) this.#swap(page);
      } while (this.#isAskedAgain);
    } finally {
      this.#isAsking = false;
    }
  }

  #remember(root) {
    for (const part of root.querySelectorAll("[data-part]")) {
      this.#shown.set(part.dataset.part, part.outerHTML);
    }
  }

  #swap(page) {
    const names = [];
    const focused = document.activeElement?.id;
    const open = [...document.querySelectorAll("details[open][id]")].map(({ id }) => id);
    for (const part of page.querySelectorAll("[data-part]")) {
      const name = part.dataset.part;
      if (this.#shown.get(name) === part.outerHTML || this.#isAhead(part)) continue;
      this.#shown.set(name, part.outerHTML);
      document.querySelector(`[data-part="${name}"]`).replaceWith(document.adoptNode(part));
      names.push(name);
    }
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (names.length) this.#swapped(names);
    if (focused && document.activeElement?.id !== focused) {
      document.getElementById(focused)?.focus({ preventScroll: true });
    }
  }
}

/** Return this very page as the server has it now; null while it cannot be had. */
async function fetchPage() {
  let answer;
  try {
    answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  } catch {
    return null; // the stream says that the server is away, and brings us here again
  }
  if (answer.redirected) signIn();
  if (!answer.ok || answer.redirected) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}
