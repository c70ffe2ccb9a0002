// The page "Try": photographs in, cards out.
import { ask, Refused, WorkQueue } from "./asking.js";
import { Card } from "./card.js";
import { element } from "./elements.js";
import { asCurl, asPython } from "./how_to_ask.js";

const facts = JSON.parse(document.getElementById("facts").textContent);
const find = (id) => document.getElementById(id);
const [profile, caution, means, unsure] = ["profile", "caution", "caution-means", "unsure"].map(find);
const OPTIONS = { "Fashion-All": "true", ...(Object.keys(facts.applies).length ? { "Fashion-Applies": "true" } : {}) };

let cards = [];
let failures = []; // of { name, reason }
let counts = { asked: 0, done: 0, cancelled: 0 };
const queue = new WorkQueue(facts.sideBySide, askAbout, showProgress);

// --- settings ---------------------------------------------------------------------------------------------------------

function settings() {
  const counting = profile.value in facts.counting;
  const power = counting ? 1 : 2 ** -Number(caution.value);
  return { profile: profile.value, caution: Number(power.toFixed(4)), unsure: unsure.checked };
}

function applySettings() {
  const chosen = settings();
  const counting = chosen.profile in facts.counting;
  caution.disabled = counting;
  const effect = chosen.caution > 1 ? "fewer, surer attributes" : "more attributes, less sure";
  means.value = counting
    ? `${chosen.profile} counts attributes and has no thresholds`
    : chosen.caution === 1
      ? "thresholds as they were fitted"
      : `odds of every threshold × ${chosen.caution}: ${effect}`;
  caution.setAttribute("aria-valuetext", means.value);
  for (const card of cards) card.show(chosen);
  showRequest();
}

function showRequest() {
  const name = cards[0]?.file.name;
  find("curl").textContent = asCurl(location.origin, facts, settings(), name);
  find("python").textContent = asPython(location.origin, facts, settings(), name);
}

let due;
const applySoon = () => {
  cancelAnimationFrame(due);
  due = requestAnimationFrame(applySettings);
};
for (const control of [profile, caution, unsure]) control.addEventListener("input", applySoon);
find("settings").addEventListener("submit", (event) => event.preventDefault());

// --- photographs ------------------------------------------------------------------------------------------------------

function take(files) {
  if (!files.length) return;
  find("results").hidden = false;
  const room = Math.max(0, facts.maxFiles - cards.length);
  counts.asked += files.length;
  for (const file of files.slice(room)) fail(file, `more than ${facts.maxFiles} at a time; clear these first`);
  const taken = files.slice(0, room).map((file) => new Card(facts, file));
  cards.push(...taken);
  find("cards").append(...taken.map((card) => card.element));
  showRequest();
  queue.add(taken);
  showProgress();
}

function cancel() {
  const left = queue.cancel();
  for (const card of left) drop(card);
  counts.cancelled += left.length;
  showProgress();
}

async function askAbout(card, signal) {
  try {
    if (card.file.size > facts.maxBytes) throw new Refused(`larger than ${facts.maxBytes / 2 ** 20} MiB; make it smaller`);
    card.answer(await ask(`/predictions/${facts.name}`, card.file, OPTIONS, signal), settings());
    counts.done++;
  } catch (error) {
    drop(card);
    if (error.name === "AbortError") counts.cancelled++;
    else if (error instanceof Refused) fail(card.file, error.message);
    else throw error;
  }
  showProgress();
}

function drop(card) {
  cards = cards.filter((other) => other !== card);
  card.forget();
}

function fail(file, reason) {
  failures.push({ name: file.name, reason });
  find("failed").hidden = false;
  find("failed").querySelector("ul").append(element("li", {}, element("strong", { textContent: file.name }), `: ${reason}`));
}

function showProgress() {
  const { asked, done, cancelled } = counts;
  find("progress").max = Math.max(asked, 1);
  find("progress").value = done + failures.length;
  find("progress").hidden = queue.isIdle;
  const parts = [`${done} of ${asked} answered`];
  if (failures.length) parts.push(`${failures.length} could not be used`);
  if (cancelled) parts.push(`${cancelled} cancelled`);
  find("status").textContent = parts.join(", ");
  find("cancel").hidden = queue.isIdle;
  find("clear").hidden = !queue.isIdle;
}

find("cancel").addEventListener("click", cancel);
find("clear").addEventListener("click", () => {
  for (const card of cards) card.forget();
  [cards, failures, counts] = [[], [], { asked: 0, done: 0, cancelled: 0 }];
  find("failed").querySelector("ul").replaceChildren();
  find("failed").hidden = find("results").hidden = true;
  showRequest();
  find("files").focus();
});

for (const input of [find("files"), find("camera")]) {
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = ""; // the same file may be chosen again
  });
}
document.addEventListener("paste", (event) => take([...event.clipboardData.files]));
const dragsFiles = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!dragsFiles(event)) return;
  event.preventDefault();
  find("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) find("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  if (!dragsFiles(event)) return;
  event.preventDefault();
  find("drop").classList.remove("over");
  take([...event.dataTransfer.files]);
});

// --- downloads and copies ---------------------------------------------------------------------------------------------

async function download(kind) {
  const records = [...cards.map((card) => card.record), ...failures.map(({ name, reason }) => ({ file: name, attributes: [], note: reason }))];
  const response = await fetch(`/try/download/${kind}`, { method: "POST", body: JSON.stringify(records), headers: { "Content-Type": "application/json" } });
  if (!response.ok) {
    find("status").textContent = (await response.json()).error.message;
    return;
  }
  const link = element("a", { href: URL.createObjectURL(await response.blob()), download: `attributes.${kind}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

for (const button of document.querySelectorAll("[data-download]")) {
  button.addEventListener("click", () => download(button.dataset.download));
}
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(find(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}

applySettings();
