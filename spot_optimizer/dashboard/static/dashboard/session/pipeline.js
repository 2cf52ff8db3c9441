// Lights the nine stages up as their lines arrive; counts come with the decision, from the server.

export class Pipeline {
  #find;

  /** `find` returns the element that shows the stages now: it is replaced with each decision. */
  constructor(find) {
    this.#find = find;
  }

  /** Take a line of an evaluation that runs; return whether it began with this line. */
  take(line) {
    const root = this.#find();
    const begins = root.dataset.run !== "running";
    if (begins) this.#begin(root);
    if (line.stage) this.#pass(root, line.stage, line.message);
    return begins;
  }

  #begin(root) {
    root.dataset.run = "running";
    for (const stage of root.querySelectorAll("[data-stage]")) {
      show(stage, "waiting");
      stage.querySelector("[data-counts]").textContent = "";
    }
    show(root.querySelector("[data-stage]"), "running");
    root.querySelector("[data-run-text]").textContent = "An evaluation is running.";
  }

  #pass(root, name, message) {
    const stage = root.querySelector(`[data-stage="${CSS.escape(name)}"]`);
    if (!stage) return;
    show(stage, "done");
    root.querySelector(`[data-note-of="${CSS.escape(name)}"]`).textContent = message;
    const next = stage.nextElementSibling;
    if (next?.dataset.status === "waiting") show(next, "running");
  }
}

function show(stage, status) {
  stage.dataset.status = status;
  stage.querySelector("[data-status-text]").textContent = status;
}
