// One photograph and what is said of it.
import { choose } from "./choosing.js";
import { element, percent } from "./elements.js";
import { HeatMaps } from "./heat.js";

const MOVES = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

export class Card {
  constructor(facts, file) {
    this.facts = facts;
    this.file = file;
    this.address = URL.createObjectURL(file);
    this.heat = new HeatMaps(facts, file);
    this.photo = element("img", { class: "photo", src: this.address, alt: `Photograph ${file.name}`, loading: "lazy", decoding: "async" });
    this.photo.addEventListener("error", () => this.photo.replaceWith(element("p", { class: "how", textContent: "No preview: browsers do not show files of this kind." })));
    this.map = element("img", { class: "map", alt: "", hidden: true });
    this.caption = element("p", { class: "evidence how" });
    this.content = element("div", { class: "answers" }, element("p", { class: "how", textContent: "Waiting …" }));
    this.element = element(
      "li",
      { class: "card" },
      element("div", { class: "seen" }, element("div", { class: "frame" }, this.photo, this.map), element("h3", { textContent: file.name }), this.caption),
      this.content,
    );
    this.content.addEventListener("keydown", (event) => this.#move(event));
  }

  answer(answer, settings) {
    this.result = answer;
    this.show(settings);
  }

  // Draw it for a profile and a caution.
  show(settings) {
    if (!this.result) return;
    this.groups = choose(this.facts, this.result, settings);
    const rows = [];
    this.shown = [];
    const add = (attribute, isAnswered) => {
      this.shown.push(attribute);
      rows.push(this.#row(attribute, isAnswered));
    };
    for (const { applies, answered, likeliest } of this.groups) {
      if (answered.length) answered.forEach((attribute) => add(attribute, true));
      else if (this.isProduct && applies && likeliest && settings.unsure) add(likeliest, false);
    }
    const unfit = this.isProduct ? this.groups.filter((group) => !group.applies).map((group) => group.group) : [];
    this.content.replaceChildren(
      ...(this.isProduct ? [] : [this.#noProduct()]),
      ...(rows.length ? [element("ul", { class: "attributes" }, ...rows)] : []),
      ...(rows.length || !this.isProduct ? [] : [element("p", { class: "how", textContent: "Nothing reaches its threshold." })]),
      ...(unfit.length ? [element("p", { class: "unfit" }, element("span", { textContent: "Does not apply: " }), unfit.join(", "))] : []),
    );
    const first = this.content.querySelector("button");
    if (first) first.tabIndex = 0;
  }

  get isProduct() {
    return this.result.product?.recognized ?? true;
  }

  // As a row of a download.
  get record() {
    const attributes = this.groups?.flatMap((group) => group.answered) ?? [];
    return { file: this.file.name, attributes, note: this.result && !this.isProduct ? "no product recognized" : "" };
  }

  forget() {
    URL.revokeObjectURL(this.address);
    this.heat.forget();
    this.element.remove();
  }

  #noProduct() {
    const text = `There is one with a probability of ${percent(this.result.product.probability)}.`;
    return element("p", { class: "no-product" }, element("strong", { textContent: "No product here. " }), text);
  }

  #row(attribute, isAnswered) {
    const bar = element("span", { class: "meter" }, element("span", { class: "fill" }), element("span", { class: "mark", hidden: !attribute.threshold }));
    bar.style.setProperty("--probability", attribute.probability);
    bar.style.setProperty("--threshold", attribute.threshold);
    const limit = attribute.threshold ? `, threshold ${percent(attribute.threshold)}` : "";
    const button = element(
      "button",
      { type: "button", tabIndex: -1, "aria-label": `${attribute.group}: ${attribute.name}, ${percent(attribute.probability)}${limit}${isAnswered ? "" : ", not answered"}` },
      element("span", { class: "of", textContent: attribute.group }),
      element("span", { class: "name", textContent: attribute.name }),
      element("span", { class: "percent", textContent: percent(attribute.probability) }),
      bar,
    );
    const show = () => this.heat.show(attribute, this.shown, (address, isFirst) => this.#showMap(address, attribute, isFirst));
    const hide = () => this.#hideMap();
    button.addEventListener("pointerenter", show);
    button.addEventListener("focus", show);
    button.addEventListener("click", show); // a finger
    button.addEventListener("pointerleave", hide);
    button.addEventListener("blur", hide);
    return element("li", { class: isAnswered ? "" : "unsure" }, button);
  }

  #showMap(address, attribute, isFirst) {
    this.map.src = address;
    this.map.alt = `Where the evidence for ${attribute.group}: ${attribute.name} lies`;
    this.map.hidden = false;
    this.caption.textContent = isFirst ? `${this.map.alt} …` : this.map.alt;
  }

  #hideMap() {
    this.heat.cancel();
    this.map.hidden = true;
    this.caption.textContent = "";
  }

  // One tab stop a card: arrows move within it.
  #move(event) {
    const buttons = [...this.content.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    const to = { Home: 0, End: buttons.length - 1 }[event.key] ?? at + (MOVES[event.key] ?? NaN);
    if (at < 0 || !buttons[to]) return;
    event.preventDefault();
    buttons[at].tabIndex = -1;
    buttons[to].tabIndex = 0;
    buttons[to].focus();
  }
}
