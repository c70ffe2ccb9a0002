// A batch of products that may all have one label: the reviewer marks which have it.
import { element, focusInReview, percent } from "./elements.js";

const find = (id) => document.getElementById(id);

export class BatchView {
  constructor(save) {
    this.saveCorrections = save;
    find("save").addEventListener("click", () => this.save());
    find("all").addEventListener("click", () => this.#set(() => true));
    find("no-one").addEventListener("click", () => this.#set(() => false));
  }

  show(batch) {
    this.batch = batch;
    this.last = 0; // the tile that was toggled last: start of a range
    find("batch-question").textContent = `Which of these ${batch.products.length} are ${batch.name}?`;
    find("batch-reason").textContent = batch.reason;
    find("tiles").replaceChildren(...batch.products.map((product, at) => this.#tile(product, at)));
    this.#set((at) => batch.products[at].answered); // Enter alone confirms the model, it does not overrule it
    focusInReview(this.#tiles()[0]);
  }

  save() {
    const { group, name, products } = this.batch;
    const tiles = this.#tiles();
    this.saveCorrections(products.map(({ product }, at) => [product, this.#isOn(tiles[at]) ? "is" : "is not", group, name]));
  }

  key(event) {
    const tiles = this.#tiles();
    const at = tiles.indexOf(document.activeElement);
    const columns = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (move) tiles[at < 0 ? 0 : at + move]?.focus();
    else if (event.key === "a") find("all").click();
    else if (event.key === "n") find("no-one").click();
    else if (event.key === "Enter") this.save();
    else return false;
    return true;
  }

  #tiles() {
    return [...find("tiles").querySelectorAll("button")];
  }

  #isOn(tile) {
    return tile.getAttribute("aria-pressed") === "true";
  }

  #set(isOn) {
    this.#tiles().forEach((tile, at) => tile.setAttribute("aria-pressed", String(isOn(at))));
  }

  #tile(product, at) {
    const address = `/browse/photograph/240/${encodeURIComponent(product.product)}`;
    const photo = product.photographs ? element("img", { src: address, alt: "", loading: "lazy" }) : element("span", { class: "how", textContent: "no photograph available" });
    const button = element(
      "button",
      { type: "button", class: "tile-button", "aria-label": `${product.title}: ${this.batch.name}, ${percent(product.probability)}` },
      element("span", { class: "tile" }, photo),
      element("span", { class: "name", textContent: product.title }),
      element("span", { class: "percent", textContent: percent(product.probability) }),
    );
    // Space triggers a click as well, including shiftKey.
    button.addEventListener("click", (event) => this.#turn(at, event.shiftKey));
    return element("li", {}, button);
  }

  #turn(at, isRange) {
    const tiles = this.#tiles();
    const value = String(isRange ? this.#isOn(tiles[this.last]) : !this.#isOn(tiles[at]));
    const [from, to] = isRange ? [Math.min(at, this.last), Math.max(at, this.last)] : [at, at];
    for (const tile of tiles.slice(from, to + 1)) tile.setAttribute("aria-pressed", value);
    this.last = at;
  }
}
