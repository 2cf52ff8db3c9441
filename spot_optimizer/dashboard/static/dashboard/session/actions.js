// Evaluate and End session: the two things this page asks the platform to do.

import { ask, get } from "../api.js";

const LOOK_EVERY = 2000; // [ms]
const LOOKS = 60;

const TITLES = {
  0: "The server did not answer",
  404: "Not found",
  409: "Not possible now",
  429: "Too many requests",
  503: "Not available right now",
};
const FAILED = ["no_prices", "no_candidates", "overdue", "instance_not_running"];

export class Actions {
  #data;
  #notice;
  #done;
  isEvaluating = false;

  /** `done()` is called when something may have changed on the server. */
  constructor(data, done) {
    this.#data = data;
    this.#done = done;
    this.#notice = document.getElementById("notice");
    document.addEventListener("click", (event) => this.#clicked(event));
  }

  #clicked(event) {
    const name = event.target.closest("[data-action]:not([aria-disabled=true])")?.dataset.action;
    const dialog = document.getElementById("end-dialog");
    if (name === "evaluate") this.evaluate();
    if (name === "end") dialog.showModal();
    if (name === "keep") dialog.close();
    if (name === "really-end") this.end(dialog);
  }

  async evaluate() {
    if (this.isEvaluating) return;
    this.#begin(true);
    try {
      const { body, status, headers } = await ask("POST", this.#data.evaluate_url, {});
      const told = status === 202 ? await settled(headers.get("Location")) : body;
      if (told?.state === "pending") this.say("info", "Still running", STILL_RUNNING);
    } catch (refusal) {
      this.#refused(refusal);
    } finally {
      this.#begin(false);
    }
  }

  async end(dialog) {
    const button = dialog.querySelector("[data-action=really-end]");
    button.disabled = true;
    try {
      await ask("DELETE", this.#data.session_url);
      this.hush();
    } catch (refusal) {
      this.#refused(refusal);
    } finally {
      button.disabled = false;
      dialog.close();
      this.#done();
    }
  }

  say(tone, title, detail) {
    this.#notice.dataset.tone = tone;
    this.#notice.querySelector("[data-title]").textContent = title;
    this.#notice.querySelector("[data-detail]").textContent = detail;
    this.#notice.hidden = false;
  }

  hush() {
    this.#notice.hidden = true;
  }

  #begin(isEvaluating) {
    this.isEvaluating = isEvaluating;
    if (isEvaluating) this.hush();
    this.#done();
  }

  #refused({ status, code = "", detail = "Load this page again." }) {
    // An evaluation that was tried and failed is shown as what it is: no need to say it twice.
    const isShown = status === 502 || status === 504 || FAILED.includes(code);
    if (!isShown) this.say("bad", TITLES[status] ?? "That did not work", detail);
  }
}

const STILL_RUNNING =
  "The evaluation takes longer than usual. It goes on; its lines and its decision appear here.";

/** Look until an evaluation is settled, through a server that is away for a while. */
async function settled(path) {
  let told = null;
  for (let look = 0; look < LOOKS; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    try {
      told = await get(path);
    } catch (refusal) {
      if (refusal.status && refusal.status < 500) throw refusal;
    }
    if (told && told.state !== "pending") return told;
  }
  return told ?? { state: "pending" };
}
