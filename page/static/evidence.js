// The evidence for the attribute under the pointer or the focus, over the product's photograph.
const [map, told] = ["map", "evidence"].map((id) => document.getElementById(id));
const WAIT = 60; // ms that a pointer rests
let due;

function show(button) {
  clearTimeout(due);
  due = setTimeout(() => {
    map.src = button.dataset.address;
    map.alt = `Where the evidence for ${button.dataset.label.replace(":", ": ")} lies`;
    map.hidden = false;
    told.textContent = map.alt;
  }, WAIT);
}

function hide() {
  clearTimeout(due);
  map.hidden = true;
  told.textContent = "";
}

map.addEventListener("error", () => {
  map.hidden = true;
  told.textContent = "The photograph cannot be read any more.";
});
for (const button of document.querySelectorAll("#attributes button")) {
  for (const event of ["pointerenter", "focus", "click"]) button.addEventListener(event, () => show(button));
  for (const event of ["pointerleave", "blur"]) button.addEventListener(event, hide);
}
