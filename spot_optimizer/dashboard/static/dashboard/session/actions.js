// The page's two actions: Evaluate and End session.

import { get, request } from "../api.js";

const POLL_INTERVAL = 2000; // [ms]
const MAX_POLLS = 60;

const TITLES = {
  0: "The server did not answer",
  404: "Not found",
  409: "Not possible now",
  429: "Too many requests",
  503: "Service unavailable",
};
const FAILED = ["no_prices", "no_candidates", "overdue", "instance_not_running"];

export class Actions {
  #data;
  #notice;
  #onChange;
  isEvaluating = false;

  /** `onChange()` is called when data may have changed on the server. */
  constructor(data, onChange) {
    this.#data = data;
    this.#onChange = onChange;
    this.#notice = document.getElementById("notice");
    document.addEventListener("click", (event) => this.#onClick(event));
  }

  #onClick(event) {
    const name = event.target.closest("[data-action]:not([aria-disabled=true])")?.dataset.action;
    const dialog = document.getElementById("end-dialog");
    if (name === "evaluate") this.evaluate();
    if (name === "end") dialog.showModal();
    if (name === "cancel") dialog.close();
    if (name === "confirm-end") this.end(dialog);
  }

  async evaluate() {
    if (this.isEvaluating) return;
    this.#setEvaluating(true);
    try {
      const { body, status, headers } = await request("POST", this.#data.evaluate_url, {});
      const evaluation = status === 202 ? await settled(headers.get("Location")) : body;
      if (evaluation?.state === "pending") this.notify("info", "Still running", STILL_RUNNING);
    } catch (error) {
      this.#showError(error);
    } finally {
      this.#setEvaluating(false);
    }
  }

  async end(dialog) {
    const button = dialog.querySelector("[data-action=confirm-end]");
    button.disabled = true;
    try {
      await request("DELETE", this.#data.session_url);
      this.clearNotice();
    } catch (error) {
      this.#showError(error);
    } finally {
      button.disabled = false;
      dialog.close();
      this.#onChange();
    }
  }

  notify(tone, title, detail) {
    this.#notice.dataset.tone = tone;
    this.#notice.querySelector("[data-title]").textContent = title;
    this.#notice.querySelector("[data-detail]").textContent = detail;
    this.#notice.hidden = false;
  }

  clearNotice() {
    this.#notice.hidden = true;
  }

  #setEvaluating(isEvaluating) {
    this.isEvaluating = isEvaluating;
    if (isEvaluating) this.clearNotice();
    this.#onChange();
  }

  #showError({ status, code = "", detail = "Reload the page." }) {
    // The decision card already shows the error of a failed evaluation.
    const isShown = status === 502 || status === 504 || FAILED.includes(code);
    if (!isShown) this.notify("bad", TITLES[status] ?? "Request failed", detail);
  }
}

const STILL_RUNNING =
  "The evaluation takes longer than usual and continues. Its lines and decision will appear here.";

/** Poll until an evaluation is settled, ignoring a temporarily unavailable server. */
async function settled(path) {
  let evaluation = null;
  for (let poll = 0; poll < MAX_POLLS; poll += 1) {
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
    try {
      evaluation = await get(path);
    } catch (error) {
      if (error.status && error.status < 500) throw error;
    }
    if (evaluation && evaluation.state !== "pending") return evaluation;
  }
  return evaluation ?? { state: "pending" };
}
