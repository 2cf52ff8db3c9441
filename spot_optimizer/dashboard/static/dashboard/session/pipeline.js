// Updates the nine stages as their lines arrive. Their counts come with the decision.

export class Pipeline {
  #find;

  /** `find` returns the current element: it is replaced with each decision. */
  constructor(find) {
    this.#find = find;
  }

  /** Show a line of a running evaluation; return whether the evaluation began with it. */
  update(line) {
    const root = this.#find();
    const isFirst = root.dataset.run !== "running";
    if (isFirst) this.#reset(root);
    if (line.stage) this.#complete(root, line.stage, line.message);
    return isFirst;
  }

  #reset(root) {
    root.dataset.run = "running";
    for (const stage of root.querySelectorAll("[data-stage]")) {
      show(stage, "waiting");
      stage.querySelector("[data-counts]").textContent = "";
    }
    show(root.querySelector("[data-stage]"), "running");
    root.querySelector("[data-run-text]").textContent = "An evaluation is running.";
  }

  #complete(root, name, message) {
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
