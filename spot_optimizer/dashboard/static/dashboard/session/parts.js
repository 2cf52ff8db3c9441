// Fetches the page again and replaces the parts that changed.

import { signIn } from "../api.js";

export class Parts {
  #shown = new Map();
  #isFetching = false;
  #isRefreshDue = false;
  #onReplaced;
  #isNewer;

  /**
   * `onReplaced(names)` is called with the parts that were replaced; `isNewer(part)` returns whether
   * the page already shows a newer state than this part of the response.
   */
  constructor(onReplaced, isNewer) {
    this.#onReplaced = onReplaced;
    this.#isNewer = isNewer;
    this.#remember(document);
  }

  /** Update the page; a call during an update repeats it afterwards. */
  async refresh({ force = [] } = {}) {
    for (const name of force) this.#shown.delete(name);
    if (this.#isFetching) {
      this.#isRefreshDue = true;
      return;
    }
    this.#isFetching = true;
    try {
      do {
        this.#isRefreshDue = false;
        const page = await fetchPage();
        if (page) this.#replace(page);
      } while (this.#isRefreshDue);
    } finally {
      this.#isFetching = false;
    }
  }

  #remember(root) {
    for (const part of root.querySelectorAll("[data-part]")) {
      this.#shown.set(part.dataset.part, part.outerHTML);
    }
  }

  #replace(page) {
    const names = [];
    const focused = document.activeElement?.id;
    const open = [...document.querySelectorAll("details[open][id]")].map(({ id }) => id);
    for (const part of page.querySelectorAll("[data-part]")) {
      const name = part.dataset.part;
      if (this.#shown.get(name) === part.outerHTML || this.#isNewer(part)) continue;
      this.#shown.set(name, part.outerHTML);
      document.querySelector(`[data-part="${name}"]`).replaceWith(document.adoptNode(part));
      names.push(name);
    }
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (names.length) this.#onReplaced(names);
    if (focused && document.activeElement?.id !== focused) {
      document.getElementById(focused)?.focus({ preventScroll: true });
    }
  }
}

/** Return the page's current document from the server; null if unavailable. */
async function fetchPage() {
  let response;
  try {
    response = await fetch(location.href, { headers: { Accept: "text/html" } });
  } catch {
    return null; // the stream shows the outage and refreshes after it
  }
  if (response.redirected) signIn();
  if (!response.ok || response.redirected) return null;
  return new DOMParser().parseFromString(await response.text(), "text/html");
}
