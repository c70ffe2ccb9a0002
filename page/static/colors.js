// Measured colors as a list of swatches.
import { element, percent } from "./elements.js";

// `colors` is the server's list, a text that says why there is none, or null while they are measured.
export function colorList(colors, of = "") {
  const title = element("span", { class: "of", textContent: `Colors measured${of}` });
  if (!Array.isArray(colors)) return element("p", { class: "colors" }, title, element("span", { class: "how", textContent: colors ?? "…" }));
  return element("div", { class: "colors" }, title, element("ul", {}, ...colors.map(swatch)));
}

function swatch({ hex, name, share }) {
  const patch = element("span", { class: "patch", "aria-hidden": "true" });
  patch.style.backgroundColor = hex;
  return element("li", {}, patch, element("span", { textContent: name }), element("code", { textContent: hex }), element("span", { class: "percent", textContent: percent(share) }));
}
