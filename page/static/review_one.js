// One product and one group of labels: which of them are right?
import { element, percent } from "./elements.js";

const find = (id) => document.getElementById(id);
const BY_NUMBER = 9; // labels that stand in the list; the rest in a menu

export class SingleView {
  #due;

  constructor(save) {
    this.save = save; // called with the corrections of the item
    find("accept").addEventListener("click", () => this.accept());
    find("none").addEventListener("click", () => save([[this.item.product, "not a product", "", ""]]));
    find("other").addEventListener("change", () => this.#add(find("other").value));
    find("map").addEventListener("error", () => (find("map").hidden = true));
  }

  show(item) {
    this.item = item;
    this.on = new Set(item.choices.filter((choice) => choice.answered).map((choice) => choice.name));
    this.listed = item.choices.slice(0, Math.max(BY_NUMBER, this.on.size));
    const address = encodeURIComponent(item.product);
    find("photo").hidden = !item.photograph;
    find("photo").src = item.photograph ? `/browse/photograph/640/${address}` : "";
    find("photo").alt = `Photograph of ${item.title}`;
    find("more").href = `/browse/product/${address}`;
    find("question").textContent = `${item.group} of ${item.title}?`;
    find("reason").textContent = item.reason;
    this.#draw();
    find("options").querySelector("button")?.focus();
  }

  accept() {
    const { product, group } = this.item;
    const [first = "", ...others] = this.on;
    this.save([[product, "only", group, first], ...others.map((name) => [product, "is", group, name])]);
  }

  // Whether the key meant something here.
  key(event) {
    const buttons = [...find("options").querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const to = at + (event.key === "ArrowDown" ? 1 : -1);
      buttons[Math.min(Math.max(to, 0), buttons.length - 1)]?.focus();
    } else if (/^[1-9]$/.test(event.key) && buttons[event.key - 1]) buttons[event.key - 1].click();
    else if (event.key === "Enter") this.accept();
    else if (event.key === "x") find("none").click();
    else return false;
    return true;
  }

  #draw() {
    find("options").replaceChildren(...this.listed.map((choice, at) => this.#option(choice, at)));
    const rest = this.item.choices.filter((choice) => !this.listed.includes(choice));
    const options = rest.map((choice) => element("option", { value: choice.name, textContent: `${choice.name}  ${percent(choice.probability)}` }));
    find("other").replaceChildren(element("option", { value: "", textContent: "choose …" }), ...options);
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
    for (const event of ["focus", "pointerenter"]) button.addEventListener(event, () => this.#evidence(choice));
    for (const event of ["blur", "pointerleave"]) button.addEventListener(event, () => this.#evidence(null));
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

  #evidence(choice) {
    clearTimeout(this.#due);
    find("map").hidden = true;
    find("evidence").textContent = "";
    if (!choice || !this.item.photograph) return;
    const { product, group } = this.item;
    this.#due = setTimeout(() => {
      const label = `${group}:${choice.name}`;
      find("map").src = `/browse/evidence/${encodeURIComponent(product)}?label=${encodeURIComponent(label)}`;
      find("map").alt = `Where the evidence for ${group}: ${choice.name} lies`;
      find("map").hidden = false;
      find("evidence").textContent = find("map").alt;
    }, 60);
  }
}
