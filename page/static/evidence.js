// Product page: shows the evidence for the hovered or focused attribute over the current photograph.
import { ProductPhoto } from "./product_photo.js";

const { product, title } = document.getElementById("frame").dataset;
const photo = new ProductPhoto();
photo.take(product, title);

for (const button of document.querySelectorAll("#attributes button")) {
  const { group, name } = button.dataset;
  for (const event of ["pointerenter", "focus", "click"]) button.addEventListener(event, () => photo.evidence(group, name));
  for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => photo.clear());
}
