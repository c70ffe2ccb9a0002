// One product and one group: the reviewer marks which labels are right.
import { element, focusInReview, readableName, percent } from "./elements.js";
import { ProductPhoto } from "./product_photo.js";

const find = (id) => document.getElementById(id);
const BY_NUMBER = 9; // labels in the list with number keys; the rest are in a menu

export class SingleView {
  constructor(save) {
    this.save = save; // called with the corrections of the item
    find("accept").addEventListener("click", () => this.accept());
    find("none").addEventListener("click", () => save([[this.item.product, "not a product", "", ""]]));
    // Not on "change" alone: in a closed menu each arrow key changes the value.
    find("other").addEventListener("change", () => (find("add").disabled = !find("other").value));
    find("add").addEventListener("click", () => this.#add(find("other").value));
    this.photo = new ProductPhoto();
  }

  show(item) {
    this.item = item;
    this.on = new Set(item.choices.filter((choice) => choice.answered).map((choice) => choice.name));
    this.listed = item.choices.slice(0, Math.max(BY_NUMBER, this.on.size));
    this.photo.show(item.product, item.title, item.photographs);
    find("more").href = `/browse/product/${encodeURIComponent(item.product)}`;
    find("question").textContent = `Which ${readableName(item.group)}? ${item.title}`;
    find("reason").textContent = item.reason;
    this.#draw();
    focusInReview(find("options").querySelector("button"));
  }

  accept() {
    const { product, group } = this.item;
    const [first = "", ...others] = this.on;
    this.save([[product, "only", group, first], ...others.map((name) => [product, "is", group, name])]);
  }

  // Handle a key; return whether it was used.
  key(event) {
    const buttons = [...find("options").querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const to = at + (event.key === "ArrowDown" ? 1 : -1);
      buttons[Math.min(Math.max(to, 0), buttons.length - 1)]?.focus();
    } else if (/^[1-9]$/.test(event.key) && buttons[event.key - 1]) buttons[event.key - 1].click();
    else if (event.key === "Enter") this.accept();
    else if (event.key === "x") find("none").click();
    else if (event.key === "v") this.photo.turn();
    else return false;
    return true;
  }

  #draw() {
    find("options").replaceChildren(...this.listed.map((choice, at) => this.#option(choice, at)));
    const rest = this.item.choices.filter((choice) => !this.listed.includes(choice));
    const options = rest.map((choice) => element("option", { value: choice.name, textContent: `${choice.name}  ${percent(choice.probability)}` }));
    find("other").replaceChildren(element("option", { value: "", textContent: "choose …" }), ...options);
    find("add").disabled = true;
    find("other").parentElement.hidden = !rest.length;
  }

  #option(choice, at) {
    const bar = element("span", { class: "meter" }, element("span", { class: "fill" }));
    bar.style.setProperty("--probability", choice.probability);
    const button = element(
      "button",
      { type: "button", "aria-pressed": String(this.on.has(choice.name)) },
      element("span", { class: "of", "aria-hidden": "true" }, element("kbd", { textContent: at < 9 ? at + 1 : "" }), element("span", { class: "tick", textContent: "✓" })),
      element("span", { class: "name", textContent: choice.name }),
      element("span", { class: "percent", textContent: percent(choice.probability) }),
      bar,
    );
    button.addEventListener("click", () => {
      if (!this.on.delete(choice.name)) this.on.add(choice.name);
      button.setAttribute("aria-pressed", String(this.on.has(choice.name)));
    });
    for (const event of ["focus", "pointerenter"]) button.addEventListener(event, () => this.photo.evidence(this.item.group, choice.name));
    for (const event of ["blur", "pointerleave"]) button.addEventListener(event, () => this.photo.clear());
    return element("li", {}, button);
  }

  #add(name) {
    const choice = this.item.choices.find((each) => each.name === name);
    if (!choice) return;
    this.listed.push(choice);
    this.on.add(name);
    this.#draw();
    [...find("options").querySelectorAll("button")].at(-1).focus();
  }
}
