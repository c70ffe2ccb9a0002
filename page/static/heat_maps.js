// Heat maps, requested when an attribute is hovered, and cached: first the fast kind, then the more accurate one, which
// one request computes for all attributes of the card.
import { ask } from "./server_requests.js";

const WAIT = 60; // ms of hovering before a request, so that moving across a card requests nothing
const MOST = 32; // maximum pictures per response, as the server allows

const labelOf = (attribute) => `${attribute.group}:${attribute.name}`;

export class HeatMaps {
  #kinds = { overlay: new Map(), covered: new Map() }; // label -> promise of a picture's URL
  #timer;

  constructor(facts, file) {
    this.path = `/explanations/${facts.name}`;
    this.file = file;
  }

  // Calls back with the URL of a picture and whether a better one follows, unless `cancel` or another `show` is called
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

  // The picture of the first label; missing pictures of the other labels are requested together with it.
  #find(kind, labels) {
    const maps = this.#kinds[kind];
    if (!maps.has(labels[0])) {
      const wanted = labels.filter((label) => !maps.has(label)).slice(0, MOST);
      const answered = this.#ask(kind, wanted);
      for (const label of wanted) {
        maps.set(label, answered.then((found) => found.get(label)));
        maps.get(label).catch(() => maps.delete(label)); // retried next time
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
