// Optional help with the form for a new session.

const form = document.querySelector(".session-form");
const zone = form.elements.availability_zone;
const region = form.elements.aws_region;

// Fill in the Region from the Availability Zone ("us-east-1a") unless the user has entered another.
// On "input", not on "change": that would fire while the user clicks into the Region field.
let filled = "";
zone.addEventListener("input", () => {
  const match = zone.value.trim().match(/^[a-z]{2}(?:-[a-z]+)+-\d+(?=[a-z]$)/);
  const isUnedited = [filled, ""].includes(region.value.trim());
  if (match && isUnedited) region.value = filled = match[0];
});

// A second submit would open a second session.
form.addEventListener("submit", (event) => {
  if (form.dataset.submitted) event.preventDefault();
  form.dataset.submitted = "yes";
});
addEventListener("pageshow", () => delete form.dataset.submitted);
