// Small help with the form for a new session; it works without.

const form = document.querySelector(".session-form");
const zone = form.elements.availability_zone;
const region = form.elements.aws_region;

// "us-east-1a" names its region: fill it in, unless somebody has chosen another. While it is typed:
// later, a click into the region's field would already be under way.
let filled = "";
zone.addEventListener("input", () => {
  const named = zone.value.trim().match(/^[a-z]{2}(?:-[a-z]+)+-\d+(?=[a-z]$)/);
  const isOurs = [filled, ""].includes(region.value.trim());
  if (named && isOurs) region.value = filled = named[0];
});

// Sending twice would open two sessions.
form.addEventListener("submit", (event) => {
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
addEventListener("pageshow", () => delete form.dataset.sent);
