// A product's photographs: one large, the others as thumbnails, with an overlay of the evidence for an attribute.
import { element, readableName } from "./elements.js";

const [photo, map, told, choice] = ["photo", "map", "evidence", "thumbnails"].map((id) => document.getElementById(id));
const WAIT = 60; // ms of hovering before a request

export class ProductPhoto {
  #due;
  #shown; // group and name whose evidence is shown

  constructor() {
    map.addEventListener("load", () => {
      if (!this.#shown) return;
      map.hidden = false;
      told.textContent = map.alt;
    });
    map.addEventListener("error", () => {
      map.hidden = true;
      told.textContent = "The photograph can no longer be read.";
    });
    choice.addEventListener("click", (event) => {
      const at = this.#thumbnails.indexOf(event.target.closest("a"));
      if (at < 0) return;
      event.preventDefault();
      this.#see(at + 1);
    });
  }

  // Show a product with `count` photographs.
  show(product, title, count) {
    Object.assign(this, { product: encodeURIComponent(product), title, count });
    const numbers = Array.from({ length: count > 1 ? count : 0 }, (_, at) => at + 1);
    choice.replaceChildren(...numbers.map((number) => element("a", { href: this.#address(640, number), "aria-label": `Photograph ${number} of ${count}` }, element("img", { src: this.#address(240, number), alt: "" }))));
    photo.hidden = !count;
    this.#see(1);
  }

  // Use a product that the page already shows.
  take(product, title) {
    Object.assign(this, { product: encodeURIComponent(product), title, count: this.#thumbnails.length || Number(!photo.hidden), number: 1 });
  }

  // Show the next photograph, cyclically.
  turn() {
    if (this.count > 1) this.#see((this.number % this.count) + 1);
  }

  evidence(group, name) {
    this.clear();
    if (!this.count) return;
    this.#shown = [group, name];
    this.#due = setTimeout(() => {
      map.src = `/browse/evidence/${this.product}?label=${encodeURIComponent(`${group}:${name}`)}&number=${this.number}`;
      map.alt = `Where the evidence for ${readableName(group)}: ${name} lies`;
      told.textContent = "Looking for the evidence …";
    }, WAIT);
  }

  clear() {
    clearTimeout(this.#due);
    this.#shown = undefined;
    map.hidden = true;
    told.textContent = "";
  }

  get #thumbnails() {
    return [...choice.querySelectorAll("a")];
  }

  #address(side, number) {
    return `/browse/photograph/${side}/${this.product}?number=${number}`;
  }

  #see(number) {
    const shown = this.#shown;
    this.number = number;
    this.clear();
    if (shown) this.evidence(...shown);
    if (this.count) photo.src = this.#address(640, number);
    photo.alt = `Photograph${this.count > 1 ? ` ${number}` : ""} of ${this.title}`;
    this.#thumbnails.forEach((link, at) => (at + 1 === number ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  }
}
