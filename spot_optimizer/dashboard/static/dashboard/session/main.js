// The page of one session: rendered by the server, updated from the stream.

import { Actions } from "./actions.js";
import { Announcer } from "./announcer.js";
import { Candidates } from "./candidates.js";
import { Connection } from "./connection.js";
import { Countdown } from "./countdown.js";
import { readData } from "./dom.js";
import { localize } from "./format.js";
import { LogView, textOf } from "./log.js";
import { Parts } from "./parts.js";
import { Pipeline } from "./pipeline.js";
import { showPrices } from "./charts/prices.js";
import { Stream } from "./stream.js";

const data = readData("session-data");
const part = (name) => document.querySelector(`[data-part="${name}"]`);

const announcer = new Announcer(document.getElementById("announcer"));
const logView = new LogView(document.getElementById("log"));
const pipeline = new Pipeline(() => part("pipeline"));
const countdown = new Countdown(() => parts.refresh());
const connection = new Connection(document.getElementById("log"), () => stream.open());
const parts = new Parts((names) => names.forEach(initialize), isNewer);
const actions = new Actions(data, changed);
let isReplayed = false; // the page already shows the lines up to data.last_seq

const stream = new Stream(data.stream_path, {
  state(state) {
    logView.catchUp(state.lastSeq ?? 0);
    if (state.name === "live") {
      countdown.set(state.now);
      if (isReplayed) parts.refresh(); // for changes while disconnected
      isReplayed = true;
    }
    connection.show(state);
  },
  line(line) {
    logView.add(line);
    if (line.seq > data.last_seq) handle(line);
  },
  reset() {
    logView.clear();
    parts.refresh();
  },
});

function handle(line) {
  const isLog = line.type === "log";
  const isFailure = isLog && line.log_type === "DECISION" && line.level === "ERROR";
  if (isLog) announcer.line();
  if (line.type === "decision" || isFailure) {
    announcer.announce(textOf(line));
    parts.refresh({ force: ["pipeline"] });
  } else if (isLog && (line.stage || line.log_type === "SCRAPER")) {
    if (!pipeline.update(line)) return;
    showBusy();
    parts.refresh();
  } else if (!isLog || line.log_type === "PREFLIGHT") {
    if (!isLog) announcer.announce(textOf(line));
    parts.refresh();
  }
}

/** Stages updated from lines are newer than those of a response rendered before. */
function isNewer({ dataset }) {
  const isRunning = dataset.run === "running" && part("pipeline").dataset.run === "running";
  return dataset.part === "pipeline" && isRunning;
}

function changed() {
  // Show the new evaluation, not the earlier one that was selected.
  if (actions.isEvaluating && location.search) history.replaceState(null, "", location.pathname);
  showBusy();
  parts.refresh();
}

function showBusy() {
  const button = document.getElementById("evaluate");
  if (!button) return;
  const isBusy = actions.isEvaluating || part("pipeline").dataset.run === "running";
  button.dataset.busy = isBusy;
  button.disabled = button.dataset.isActive !== "true";
  button.setAttribute("aria-disabled", isBusy); // not `disabled`: the button would lose the focus
  button.textContent = isBusy ? "Evaluating…" : "Evaluate";
}

function initialize(name) {
  const element = part(name);
  localize(element);
  if (name === "head") {
    countdown.show();
    element.querySelector("#end")?.removeAttribute("disabled"); // enabled once it has a listener
  }
  if (name === "head" || name === "pipeline") showBusy();
  if (name === "candidates" && element.dataset.evaluationUrl) {
    new Candidates(element, data.rejections).load(element.dataset.evaluationUrl);
  }
  if (name === "prices" && element.querySelector("[data-chart]")) showPrices(element, data);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-evaluation]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  parts.refresh();
});
window.addEventListener("popstate", () => parts.refresh());
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  getSelection().selectAllChildren(source); // navigator.clipboard needs TLS; without it, select the text
  await navigator.clipboard?.writeText(source.textContent);
  button.textContent = navigator.clipboard ? "Copied" : "Selected: press Ctrl-C";
  announcer.announce(button.textContent);
});

for (const each of document.querySelectorAll("[data-part]")) initialize(each.dataset.part);
for (const each of document.querySelectorAll("[data-copy]")) each.disabled = false;
stream.open();
