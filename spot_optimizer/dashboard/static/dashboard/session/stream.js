// A session's lines over the WebSocket: each once and in order, whatever happens to a connection.

const FIRST_DELAY = 500; // [ms]
const LONGEST_DELAY = 30_000; // [ms]
const STEADY_AFTER = 10_000; // [ms] live for that long, the next loss is a new one
const PING_EVERY = 15_000; // [ms]

const ENDED = 4410;
const TOO_SLOW = 4408;
const FINAL = {
  4400: "The stream refused this page. Load it again.",
  4403: "You may not watch this session. Sign in as its owner, then load this page again.",
  4404: "This session is no longer there. Go to your sessions.",
};

export class Stream {
  lastSeq = 0;
  #path;
  #told;
  #attempt = 0;
  #socket = null;
  #timers = {};
  #isSilent = false;

  /**
   * `told` has `line(line)`, `state({name, …})` and `startOver()`. States: connecting, live,
   * waiting (until `at`), ended, stopped (`detail` says why and what to do).
   */
  constructor(path, told) {
    this.#path = path;
    this.#told = told;
    window.addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
  }

  open() {
    this.#forget();
    this.#told.state({ name: "connecting" });
    const origin = location.origin.replace(/^http/, "ws");
    const socket = new WebSocket(`${origin}${this.#path}?after=${this.lastSeq}`);
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = ({ code }) => this.#lost(code);
    this.#socket = socket;
  }

  retryNow() {
    if (this.#timers.retry) this.open();
  }

  #take(frame) {
    this.#isSilent = false;
    if (frame.type === "welcome") this.#welcome(frame);
    else if (frame.seq === this.lastSeq + 1) {
      this.lastSeq = frame.seq;
      this.#told.line(frame);
    } else if (frame.seq > this.lastSeq) this.#lost(); // a gap: ask again for what is missing
  }

  #welcome(frame) {
    if (frame.last_seq < this.lastSeq) {
      // A database put back from a backup: numbers that we have seen stand for other lines.
      this.lastSeq = 0;
      this.#told.startOver();
      this.open();
      return;
    }
    this.#told.state({ name: "live", lastSeq: frame.last_seq, now: new Date(frame.timestamp) });
    this.#timers.steady = setTimeout(() => (this.#attempt = 0), STEADY_AFTER);
    this.#timers.ping = setInterval(() => this.#ping(), PING_EVERY);
  }

  #ping() {
    if (this.#isSilent) return this.#lost(); // the last ping has no answer: a dead connection
    this.#isSilent = true;
    this.#socket.send("ping");
  }

  #lost(code) {
    this.#forget();
    if (code === ENDED) return this.#told.state({ name: "ended" });
    if (code in FINAL) return this.#told.state({ name: "stopped", detail: FINAL[code] });
    const delay = this.#delay();
    this.#told.state({ name: "waiting", at: Date.now() + delay, wasTooSlow: code === TOO_SLOW });
    this.#timers.retry = setTimeout(() => this.open(), delay);
  }

  /** Exponential, with jitter: a restarted server is not stormed by all its windows at once. */
  #delay() {
    const most = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempt);
    this.#attempt += 1;
    return most / 2 + (Math.random() * most) / 2;
  }

  #forget() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = {};
    this.#isSilent = false;
    if (!this.#socket) return;
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }
}
