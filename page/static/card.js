// A card with the answers for a product: one photograph, or several joined ones.
import { ask, Refused } from "./server_requests.js";
import { choose } from "./label_choice.js";
import { colorList } from "./colors.js";
import { element, readableName, percent } from "./elements.js";

const MOVES = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
const FORM = 2 ** 16; // bytes reserved for the rest of a form besides its photographs

export class Card {
  // `parts` are the cards that were joined into this one.
  constructor(facts, photographs, parts = []) {
    Object.assign(this, { facts, photographs, parts });
    this.photo = element("img", { class: "photo" });
    this.noPhoto = element("p", { class: "how", textContent: "No preview: browsers do not show files of this kind.", hidden: true });
    this.photo.addEventListener("error", () => (this.photo.hidden = !(this.noPhoto.hidden = false)));
    this.map = element("img", { class: "map", alt: "", hidden: true });
    this.caption = element("p", { class: "evidence how" });
    this.pick = element("input", { type: "checkbox", class: "pick", disabled: true });
    this.answers = element("div", {}, element("p", { class: "how", textContent: "Waiting …" }));
    this.colors = element("div", { class: "measured", hidden: true });
    this.element = element(
      "li",
      { class: "card" },
      element(
        "div",
        { class: "seen" },
        element("div", { class: "frame" }, this.photo, this.noPhoto, this.map),
        this.isJoined ? this.#thumbnails() : null,
        element("h3", {}, element("label", {}, this.pick, element("span", { textContent: this.name }))),
        this.isJoined ? this.#separating() : null,
        this.caption,
      ),
      element("div", { class: "answers" }, this.answers, this.colors),
    );
    this.answers.addEventListener("keydown", (event) => this.#move(event));
    this.#see(photographs[0]);
  }

  get isJoined() {
    return this.photographs.length > 1;
  }

  get isSelected() {
    return this.pick.checked;
  }

  set isSelected(value) {
    this.pick.checked = value;
    this.element.classList.toggle("selected", value);
  }

  get files() {
    return this.photographs.map(({ file }) => file);
  }

  get name() {
    const [first, ...others] = this.photographs;
    return others.length ? `${first.name} and ${others.length} more` : first.name;
  }

  get isProduct() {
    return this.result.product?.recognized ?? true;
  }

  // The photograph whose colors are shown: the first with a product; none if no product is recognized.
  get colored() {
    return this.result && this.isProduct ? (this.photographs.find((each) => each.isProduct) ?? this.photographs[0]) : undefined;
  }

  // Request the answers. Throws Refused with the reason.
  async ask(options, signal) {
    const path = `/predictions/${this.facts.name}`;
    const { maxBytes } = this.facts;
    if (this.files.reduce((sum, { size }) => sum + size, this.isJoined * FORM) > maxBytes) {
      const advice = this.isJoined ? "together these are larger than" : "larger than";
      throw new Refused(`${advice} ${maxBytes / 2 ** 20} MiB; make ${this.isJoined ? "them" : "it"} smaller`);
    }
    if (this.isJoined) {
      const form = new FormData();
      for (const file of this.files) form.append("image", file);
      this.result = await ask(path, form, { ...options, "Fashion-Product": "true" }, signal);
    } else this.result = this.photographs[0].result = await ask(path, this.files[0], options, signal);
    this.pick.disabled = false;
  }

  // Render the card for a profile and a caution.
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
    const unfit = this.isProduct ? this.groups.filter((group) => !group.applies).map(({ group }) => readableName(group)) : [];
    this.answers.replaceChildren(
      ...(this.isProduct ? [] : [this.#noProduct()]),
      ...(rows.length ? [element("ul", { class: "attributes" }, ...rows)] : []),
      ...(rows.length || !this.isProduct ? [] : [element("p", { class: "how", textContent: "Nothing is sure enough to be answered." })]),
      ...(unfit.length ? [element("p", { class: "unfit" }, element("span", { textContent: "Does not apply: " }), unfit.join(", "))] : []),
    );
    const first = this.answers.querySelector("button");
    if (first) first.tabIndex = 0;
    this.showColors();
  }

  showColors() {
    const colored = this.colored;
    this.colors.hidden = !colored;
    if (colored) this.colors.replaceChildren(colorList(colored.colors, this.isJoined ? ` on ${colored.name}` : ""));
  }

  // The entry of this card in a download.
  get record() {
    const attributes = this.groups?.flatMap((group) => group.answered) ?? [];
    const measured = this.colored?.colors ?? [];
    const note = this.result && !this.isProduct ? "no product recognized" : Array.isArray(measured) ? "" : `colors: ${measured}`;
    return { photographs: this.photographs.map(({ name }) => name), attributes, colors: Array.isArray(measured) ? measured : [], note };
  }

  forget() {
    for (const photograph of this.photographs) photograph.forget();
    this.element.remove();
  }

  #see(photograph) {
    this.seen = photograph;
    this.noPhoto.hidden = !(this.photo.hidden = false);
    this.photo.src = photograph.address;
    this.photo.alt = `Photograph ${photograph.name}`;
    this.thumbnails?.forEach((button, at) => button.setAttribute("aria-pressed", String(this.photographs[at] === photograph)));
  }

  #thumbnails() {
    this.thumbnails = this.photographs.map((photograph) => {
      const button = element("button", { type: "button", "aria-label": `Show ${photograph.name}` }, element("img", { src: photograph.address, alt: "" }));
      button.addEventListener("click", () => this.#see(photograph));
      return button;
    });
    return element("p", { class: "thumbnails" }, ...this.thumbnails);
  }

  #separating() {
    this.separate = element("button", { type: "button", class: "separate", textContent: "Separate again" });
    return element("p", { class: "joined" }, element("span", { textContent: `${this.photographs.length} photographs of one product` }), this.separate);
  }

  #noProduct() {
    const text = `The probability that there is one is ${percent(this.result.product.probability)}.`;
    return element("p", { class: "no-product" }, element("strong", { textContent: "No product here. " }), text);
  }

  #row(attribute, isAnswered) {
    const bar = element("span", { class: "meter" }, element("span", { class: "fill" }), element("span", { class: "mark", hidden: !attribute.threshold }));
    bar.style.setProperty("--probability", attribute.probability);
    bar.style.setProperty("--threshold", attribute.threshold);
    const limit = attribute.threshold ? `, threshold ${percent(attribute.threshold)}` : "";
    const button = element(
      "button",
      { type: "button", tabIndex: -1, "aria-label": `${readableName(attribute.group)}: ${attribute.name}, ${percent(attribute.probability)}${limit}${isAnswered ? "" : ", not answered"}` },
      element("span", { class: "of", textContent: readableName(attribute.group) }),
      element("span", { class: "name", textContent: attribute.name }),
      element("span", { class: "percent", textContent: percent(attribute.probability) }),
      bar,
    );
    const show = () => this.#showEvidence(attribute);
    const hide = () => this.#hideMap();
    button.addEventListener("pointerenter", show);
    button.addEventListener("focus", show);
    button.addEventListener("click", show); // for touch screens
    button.addEventListener("pointerleave", hide);
    button.addEventListener("blur", hide);
    return element("li", { class: isAnswered ? "" : "unsure" }, button);
  }

  // Show the heat map over the photograph with the highest probability of the attribute.
  #showEvidence(attribute) {
    const best = this.photographs.reduce((one, other) => (other.probability(attribute) > one.probability(attribute) ? other : one));
    if (best !== this.seen) this.#see(best);
    best.heat.show(attribute, this.shown, (address, isFirst) => {
      this.map.src = address;
      this.map.alt = `Where the evidence for ${readableName(attribute.group)}: ${attribute.name} lies`;
      this.map.hidden = false;
      this.caption.textContent = isFirst ? `${this.map.alt} …` : this.map.alt;
    });
  }

  #hideMap() {
    this.seen.heat.cancel();
    this.map.hidden = true;
    this.caption.textContent = "";
  }

  // Roving tabindex: one tab stop for all attributes, arrow keys move between them.
  #move(event) {
    const buttons = [...this.answers.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    const to = { Home: 0, End: buttons.length - 1 }[event.key] ?? at + (MOVES[event.key] ?? NaN);
    if (at < 0 || !buttons[to]) return;
    event.preventDefault();
    buttons[at].tabIndex = -1;
    buttons[to].tabIndex = 0;
    buttons[to].focus();
  }
}
