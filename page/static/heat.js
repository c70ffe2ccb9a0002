// Heat maps, asked for when somebody points at an attribute, and kept.
import { ask } from "./asking.js";

const WAIT = 60; // ms that a pointer rests, so that crossing a card asks for nothing

export class HeatMaps {
  #maps = new Map();
  #timer;

  constructor(facts, file) {
    this.path = `/explanations/${facts.name}`;
    this.file = file;
  }

  // Calls back with the address of the picture, unless `cancel` or another `show` came first.
  show(attribute, callback) {
    this.cancel();
    const label = `${attribute.group}:${attribute.name}`;
    this.#timer = setTimeout(async () => {
      const timer = this.#timer;
      if (!this.#maps.has(label)) this.#maps.set(label, this.#ask(label));
      try {
        const address = await this.#maps.get(label);
        if (timer === this.#timer) callback(address);
      } catch {
        this.#maps.delete(label); // asked again next time
      }
    }, this.#maps.has(label) ? 0 : WAIT);
  }

  cancel() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async forget() {
    this.cancel();
    for (const map of this.#maps.values()) map.then(URL.revokeObjectURL, () => {});
  }

  async #ask(label) {
    // A JSON list: names may hold semicolons. Headers are Latin-1 to browsers, so other characters are escaped.
    const labels = JSON.stringify([label]).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
    const answer = await ask(this.path, this.file, { "Fashion-Explain": "overlay", "Fashion-Labels": labels });
    const bytes = Uint8Array.from(atob(answer.attributes[0].overlay), (letter) => letter.charCodeAt(0));
    return URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
  }
}
