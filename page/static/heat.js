// Heat maps, asked for when somebody points at an attribute, and kept: first the quick kind, then the one that points
// better, which one pass over the photograph makes for all attributes that the card shows.
import { ask } from "./asking.js";

const WAIT = 60; // ms that a pointer rests, so that crossing a card asks for nothing
const MOST = 32; // pictures in one answer, as the server allows

const labelOf = (attribute) => `${attribute.group}:${attribute.name}`;

export class HeatMaps {
  #kinds = { overlay: new Map(), covered: new Map() }; // label -> promise of the address of a picture
  #timer;

  constructor(facts, file) {
    this.path = `/explanations/${facts.name}`;
    this.file = file;
  }

  // Calls back with the address of a picture and whether a better one follows, unless `cancel` or another `show` came
  // first. `shown` are the attributes of the card.
  show(attribute, shown, callback) {
    this.cancel();
    const label = labelOf(attribute);
    const isKept = this.#kinds.overlay.has(label) || this.#kinds.covered.has(label);
    this.#timer = setTimeout(() => {
      const timer = this.#timer;
      let isBetter = false;
      const tell = (better) => (address) => {
        if (timer !== this.#timer || (isBetter && !better)) return;
        isBetter = better;
        callback(address, !better);
      };
      const others = shown.map(labelOf).filter((other) => other !== label);
      this.#find("overlay", [label]).then(tell(false), () => {});
      this.#find("covered", [label, ...others]).then(tell(true), () => {});
    }, isKept ? 0 : WAIT);
  }

  cancel() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  forget() {
    this.cancel();
    for (const maps of Object.values(this.#kinds)) for (const map of maps.values()) map.then(URL.revokeObjectURL, () => {});
  }

  // The picture of the first label; those of the others that are not there yet are asked for with it.
  #find(kind, labels) {
    const maps = this.#kinds[kind];
    if (!maps.has(labels[0])) {
      const wanted = labels.filter((label) => !maps.has(label)).slice(0, MOST);
      const answered = this.#ask(kind, wanted);
      for (const label of wanted) {
        maps.set(label, answered.then((found) => found.get(label)));
        maps.get(label).catch(() => maps.delete(label)); // asked again next time
      }
    }
    return maps.get(labels[0]);
  }

  async #ask(kind, labels) {
    // A JSON list: names may hold semicolons. Headers are Latin-1 to browsers, so other characters are escaped.
    const list = JSON.stringify(labels).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
    const answer = await ask(this.path, this.file, { "Fashion-Explain": kind, "Fashion-Labels": list });
    return new Map(answer.attributes.map((attribute) => [labelOf(attribute), addressOf(attribute.overlay)]));
  }
}

function addressOf(overlay) {
  const bytes = Uint8Array.from(atob(overlay), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
}
