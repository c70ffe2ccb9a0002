// Refits of thresholds and calibration to the corrections: propose, apply and undo.
import { post } from "./review_requests.js";
import { element, readableName } from "./elements.js";

const find = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en");
const signed = (value) => (value < 0 ? `−${(-value).toFixed(3)}` : `+${value.toFixed(3)}`);
let proposed; // number of the proposal, sent back to apply it

// `who` returns the reviewer's name, `changed` is called when answers have changed.
export function startRefitting(who, changed) {
  const on = (id, work) => find(id).addEventListener("click", () => attempt(work));
  on("refit", async () => {
    tell("Fitting …");
    const found = await post("/review/refit", {});
    proposed = found.number;
    show(found);
  });
  on("apply", async () => {
    const { in_force: inForce } = await post(`/review/refit/apply/${proposed}`, { who: who() });
    tell("Applied: the catalog now uses the fitted thresholds and percentages.");
    showInForce(inForce);
    await changed();
  });
  on("undo-refit", async () => {
    const { in_force: inForce } = await post("/review/refit/undo", { who: who() });
    tell("Undone: the catalog uses the earlier thresholds and percentages again.");
    showInForce(inForce);
    await changed();
  });
  find("refit").disabled = false; // disabled until this script is loaded
}

async function attempt(work) {
  for (const id of ["refit", "apply", "undo-refit"]) find(id).disabled = true;
  try {
    await work();
  } catch (error) {
    tell(error.message);
  } finally {
    for (const id of ["refit", "apply", "undo-refit"]) find(id).disabled = false;
  }
}

function tell(text) {
  find("apply").hidden = true;
  find("refit-told").textContent = text;
  find("proposal").replaceChildren();
}

function showInForce(text) {
  find("in-force").textContent = text || "Nothing is fitted yet: the model's own thresholds are in force.";
  find("undo-refit").hidden = !text;
}

function show(found) {
  const changes = Object.entries(found.by_group).filter(([, [added, removed]]) => added || removed);
  const isSame = !changes.length && !found.recalibrated.length;
  const [low, high] = found.interval ?? [];
  tell(`Learned from ${number(found.products)} corrected products with ${number(found.labels)} decided labels.`);
  find("apply").hidden = isSame;
  find("proposal").replaceChildren(
    ...table(["", "now", "then", "change (95 % interval)"], [
      [`Right answers (${found.score})`, found.before.toFixed(3), found.after.toFixed(3), signed(found.gain) + (found.interval ? ` (${signed(low)} to ${signed(high)})` : "")],
      ["Error of the percentages (calibration error)", cell(found.error_before), cell(found.error_after), ""],
    ]),
    said(`${found.judged}. Each product is held out from the fit that it is evaluated with.`),
    said(isSame ? "Nothing would change: the corrections agree with the model." : found.interval && low <= 0 && high >= 0 ? "The change of right answers may be chance: its interval contains 0." : ""),
    said(`Thresholds ${found.fits_thresholds ? "are fitted anew" : "stay as they are"}. Percentages fitted anew for: ${found.recalibrated.map(readableName).join(", ") || "no group"}.`),
    said(`Of ${number(found.answers)} answers of the catalog ${number(found.removed)} would be removed, and ${number(found.added)} new ones added${changes.length ? ":" : "."}`),
    ...(changes.length ? table(["group", "added", "removed"], changes.map(([group, [added, removed]]) => [readableName(group), number(added), number(removed)])) : []),
  );
}

const cell = (value) => (value === null ? "–" : value.toFixed(4));
const said = (textContent) => (textContent ? element("p", { textContent }) : "");

function table(header, rows) {
  const head = element("tr", {}, ...header.map((textContent, at) => element("th", { scope: "col", class: at ? "" : "text", textContent })));
  const lines = rows.map(([name, ...cells]) => element("tr", {}, element("th", { scope: "row", textContent: name }), ...cells.map((textContent) => element("td", { textContent }))));
  return [element("div", { class: "box", tabIndex: 0, role: "region", "aria-label": header.at(-1) }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines)))];
}
