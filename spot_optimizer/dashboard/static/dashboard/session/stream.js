// A session's lines over a WebSocket: each exactly once and in order across reconnects.

const FIRST_DELAY = 500; // [ms]
const MAX_DELAY = 30_000; // [ms]
const STABLE_AFTER = 10_000; // [ms] after which the delay starts again from FIRST_DELAY
const PING_INTERVAL = 15_000; // [ms]

const ENDED = 4410;
const TOO_SLOW = 4408;
const FINAL = {
  4400: "The stream rejected the request. Reload the page.",
  4403: "You are not allowed to watch this session. Sign in as its owner, then reload the page.",
  4404: "This session does not exist anymore. Go to your sessions.",
};

export class Stream {
  lastSeq = 0;
  #path;
  #listener;
  #attempt = 0;
  #socket = null;
  #timers = {};
  #isSilent = false;

  /**
   * `listener` has `line(line)`, `state({name, …})` and `reset()`. States: connecting, live,
   * waiting (until `at`), ended, stopped (with the reason in `detail`).
   */
  constructor(path, listener) {
    this.#path = path;
    this.#listener = listener;
    window.addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
  }

  open() {
    this.#close();
    this.#listener.state({ name: "connecting" });
    const origin = location.origin.replace(/^http/, "ws");
    const socket = new WebSocket(`${origin}${this.#path}?after=${this.lastSeq}`);
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code }) => this.#disconnected(code);
    this.#socket = socket;
  }

  retryNow() {
    if (this.#timers.retry) this.open();
  }

  #receive(frame) {
    this.#isSilent = false;
    if (frame.type === "welcome") this.#welcome(frame);
    else if (frame.seq === this.lastSeq + 1) {
      this.lastSeq = frame.seq;
      this.#listener.line(frame);
    } else if (frame.seq > this.lastSeq) this.#disconnected(); // a gap: reconnect and request the missing lines
  }

  #welcome(frame) {
    if (frame.last_seq < this.lastSeq) {
      // The database was restored from a backup: known numbers now mean other lines.
      this.lastSeq = 0;
      this.#listener.reset();
      this.open();
      return;
    }
    this.#listener.state({ name: "live", lastSeq: frame.last_seq, now: new Date(frame.timestamp) });
    this.#timers.stable = setTimeout(() => (this.#attempt = 0), STABLE_AFTER);
    this.#timers.ping = setInterval(() => this.#ping(), PING_INTERVAL);
  }

  #ping() {
    if (this.#isSilent) return this.#disconnected(); // no pong since the last ping: the connection is dead
    this.#isSilent = true;
    this.#socket.send("ping");
  }

  #disconnected(code) {
    this.#close();
    if (code === ENDED) return this.#listener.state({ name: "ended" });
    if (code in FINAL) return this.#listener.state({ name: "stopped", detail: FINAL[code] });
    const delay = this.#delay();
    this.#listener.state({ name: "waiting", at: Date.now() + delay, wasTooSlow: code === TOO_SLOW });
    this.#timers.retry = setTimeout(() => this.open(), delay);
  }

  /** Exponential backoff with jitter, so that clients do not all reconnect at once. */
  #delay() {
    const limit = Math.min(MAX_DELAY, FIRST_DELAY * 2 ** this.#attempt);
    this.#attempt += 1;
    return limit / 2 + (Math.random() * limit) / 2;
  }

  #close() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = {};
    this.#isSilent = false;
    if (!this.#socket) return;
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }
}
