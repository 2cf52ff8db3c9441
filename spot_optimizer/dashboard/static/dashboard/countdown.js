// Counts down every <time data-countdown>, in the words the server began with.

const clocks = [...document.querySelectorAll("time[data-countdown]")];
const STEPS = [
  [86400, "day"],
  [3600, "hour"],
  [60, "minute"],
];

function left(seconds) {
  if (seconds <= 0) return "Time is over";
  if (seconds < 60) return `${some(Math.ceil(seconds), "second")} left`;
  const first = STEPS.findIndex(([length]) => seconds >= length);
  const words = [];
  let rest = seconds;
  for (const [length, name] of STEPS.slice(first, first + 2)) {
    const count = Math.floor(rest / length);
    if (count) words.push(some(count, name));
    rest -= count * length;
  }
  return `${words.join(", ")} left`;
}

const some = (count, name) => `${count}\u00a0${name}${count === 1 ? "" : "s"}`;

function tick() {
  for (const clock of clocks) {
    const text = left((Date.parse(clock.dateTime) - Date.now()) / 1000);
    if (clock.textContent !== text) clock.textContent = text;
  }
}

if (clocks.length) {
  tick();
  setInterval(tick, 1000);
}
