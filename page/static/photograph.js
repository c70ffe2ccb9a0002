// A photograph of the user, with its answer.
import { HeatMaps } from "./heat_maps.js";

export class Photograph {
  result; // the answer for this photograph alone
  colors; // list of { hex, name, share }, a text that says why there is none, or null while they are measured

  constructor(facts, file, name) {
    Object.assign(this, { file, name });
    this.address = URL.createObjectURL(file);
    this.heat = new HeatMaps(facts, file);
  }

  get isProduct() {
    return this.result?.product?.recognized ?? true;
  }

  // That it shows an attribute.
  probability({ group, name }) {
    return this.result.attributes.find((each) => each.group === group && each.name === name)?.probability ?? 0;
  }

  forget() {
    URL.revokeObjectURL(this.address);
    this.heat.forget();
  }
}
