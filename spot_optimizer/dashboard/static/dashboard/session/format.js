// Formats numbers and times. dashboard/formats.py formats numbers the same way.

export const UNKNOWN = "–";
const MINUS = "\u2212";
const SPACE = "\u00a0"; // no-break space, between a number and its unit

const inEnglish = new Map();

function fixed(value, least, most = least) {
  const key = `${least} ${most}`;
  if (!inEnglish.has(key)) {
    const digits = { minimumFractionDigits: least, maximumFractionDigits: most };
    inEnglish.set(key, new Intl.NumberFormat("en-US", digits));
  }
  return inEnglish.get(key).format(value);
}

export function usd(value, digits = 2) {
  if (value == null) return UNKNOWN;
  return `${value < 0 ? MINUS : ""}$${fixed(Math.abs(value), digits)}`;
}

export const hourly = (value) => (value == null ? UNKNOWN : `${usd(value, 4)}/h`);

/** 68.4 is "68 %", 3.21 is "3.2 %", 0.01629 is "0.016 %". */
export function percent(value) {
  if (value == null) return UNKNOWN;
  const size = Math.abs(value);
  return `${value < 0 ? MINUS : ""}${sized(size)}${SPACE}%`;
}

function sized(size) {
  if (size >= 10) return fixed(size, 0);
  if (size >= 1) return fixed(size, 0, 1);
  if (size === 0) return "0";
  return size < 0.001 ? "<0.001" : String(Number(size.toPrecision(2)));
}

export const share = (fraction) => percent(fraction == null ? null : 100 * fraction);

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dayAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export const timeOfDay = (at) => clock.format(at);
export const moment = (at) => dayAndTime.format(at);
export const utc = (at) => `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** Show every <time> inside `root` in the reader's own zone, with UTC in its title. */
export function localize(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    element.title = utc(at);
    element.textContent = moment(at);
  }
}

/** 3 725 seconds are "1:02:05", 65 are "1:05". */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (number) => String(number).padStart(2, "0");
  const rest = `${two(minutes)}:${two(whole % 60)}`;
  return hours ? `${hours}:${rest}` : `${minutes}:${two(whole % 60)}`;
}
