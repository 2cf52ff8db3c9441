// Updates every <time data-countdown> each second, in the format of the server's `timeuntil`.

const clocks = [...document.querySelectorAll("time[data-countdown]")];
const STEPS = [
  [86400, "day"],
  [3600, "hour"],
  [60, "minute"],
];

function left(seconds) {
  if (seconds <= 0) return "Expired";
  if (seconds < 60) return `${quantity(Math.ceil(seconds), "second")} left`;
  const first = STEPS.findIndex(([length]) => seconds >= length);
  const parts = [];
  let rest = seconds;
  for (const [length, name] of STEPS.slice(first, first + 2)) {
    const count = Math.floor(rest / length);
    if (count) parts.push(quantity(count, name));
    rest -= count * length;
  }
  return `${parts.join(", ")} left`;
}

const quantity = (count, name) => `${count}\u00a0${name}${count === 1 ? "" : "s"}`;

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
