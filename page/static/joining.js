// Joins several photographs into one product and splits them again. The bar above the cards shows the selection.
import { Card } from "./card.js";

const find = (id) => document.getElementById(id);

export class Joining {
  #last; // the box that was clicked last: start of a range
  #made = []; // joined products in order of creation
  #message = ""; // message on the last action, until the selection changes

  // `cards` returns all cards; `replace(old, made)` replaces cards by others; `answer(cards)` requests answers for some,
  // and `failed` is called on an error.
  constructor(facts, { cards, replace, answer }) {
    Object.assign(this, { facts, cards, replace, answer });
    find("join").addEventListener("click", () => this.join());
    find("unselect").addEventListener("click", () => this.unselect());
    find("unjoin").addEventListener("click", () => this.undo());
    find("cards").addEventListener("click", (event) => {
      if (event.target.matches(".pick")) this.#clicked(event);
      else if (event.target.matches(".separate")) this.separate(this.cards().find((card) => card.separate === event.target));
    });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !event.target.closest("#results")) return; // keys apply to the cards only
      if (event.key === "p") this.join();
      else if (event.key === "u") this.undo();
      else if (event.key === "Escape") this.unselect();
    });
  }

  get selected() {
    return this.cards().filter((card) => card.isSelected);
  }

  join() {
    const chosen = this.selected;
    if (chosen.length < 2) return;
    const photographs = chosen.flatMap((card) => card.photographs);
    const parts = chosen.flatMap((card) => (card.isJoined ? card.parts : [card]));
    for (const card of parts) card.isSelected = false;
    const made = new Card(this.facts, photographs, parts);
    this.replace(chosen, [made]);
    this.answer([made]);
    this.#made.push(made);
    made.pick.disabled = false;
    made.pick.focus();
    this.#tell(`${photographs.length} photographs are one product.`);
  }

  separate(card) {
    this.replace([card], card.parts);
    card.parts[0].pick.focus();
    this.#tell(`${card.parts.length} photographs are separate again.`);
  }

  // Separate the product that was joined last.
  undo() {
    this.#made = this.#made.filter((card) => this.cards().includes(card));
    if (this.#made.length) this.separate(this.#made.at(-1));
  }

  failed(card, reason) {
    this.separate(card);
    this.#tell(`Not joined: ${reason}.`, true);
  }

  unselect() {
    for (const card of this.selected) card.isSelected = false;
    this.#tell("");
  }

  // Show the possible actions, or the message on the last one.
  show() {
    const cards = this.cards();
    const count = this.selected.length;
    find("joining").hidden = cards.length < 2 && !cards.some((card) => card.isJoined);
    find("joining").classList.toggle("sticking", count > 0); // stays visible while scrolling
    find("join").disabled = count < 2;
    find("unselect").hidden = !count;
    find("unjoin").hidden = !cards.some((card) => card.isJoined);
    const hint = "Tick photographs that show the same product.";
    find("selected").textContent = this.#message || (count ? `${count} selected${count < 2 ? ": tick another of the same product" : ""}` : hint);
  }

  #tell(text, isWrong = false) {
    this.#message = text;
    find("selected").classList.toggle("wrong", isWrong);
    this.show();
  }

  // With Shift, select the range since the last click.
  #clicked(event) {
    const cards = this.cards();
    const [at, last] = [event.target, this.#last].map((box) => cards.findIndex((card) => card.pick === box));
    this.#last = event.target;
    const from = event.shiftKey && last >= 0 ? last : at;
    for (const card of cards.slice(Math.min(at, from), Math.max(at, from) + 1)) if (!card.pick.disabled) card.isSelected = event.target.checked;
    this.#tell("");
  }
}
