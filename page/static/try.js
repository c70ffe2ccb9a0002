// The page "Try": photographs in, cards out.
import { ask, Refused, request, WorkQueue } from "./server_requests.js";
import { Card } from "./card.js";
import { droppedFiles, named } from "./dropped_files.js";
import { element } from "./elements.js";
import { asCurl, asPython, colorsByCurl } from "./example_requests.js";
import { Joining } from "./joining.js";
import { Photograph } from "./photograph.js";

const facts = JSON.parse(document.getElementById("facts").textContent);
const find = (id) => document.getElementById(id);
const [profile, caution, means, unsure] = ["profile", "caution", "caution-means", "unsure"].map(find);
const OPTIONS = { "Fashion-All": "true", ...(Object.keys(facts.applies).length ? { "Fashion-Applies": "true" } : {}) };
const downloads = document.querySelectorAll("[data-download]");
const NOT_MEASURED = "not measured: cancelled";

let cards = [];
let failures = []; // of { name, reason }
let counts = { asked: 0, done: 0, cancelled: 0 };
let touched; // the card that was used last: the example request below is for it
const queue = new WorkQueue(facts.sideBySide, askAbout, measureColors);
const colorQueue = new WorkQueue(2, measure, showProgress); // runs after all answers, so that no answer waits for colors
const joining = new Joining(facts, { cards: () => cards, replace, answer });

// --- settings ---------------------------------------------------------------------------------------------------------

function settings() {
  const counting = profile.value in facts.counting;
  const power = counting ? 1 : 2 ** -Number(caution.value);
  return { profile: profile.value, caution: Number(power.toFixed(4)), unsure: unsure.checked };
}

function applySettings() {
  const chosen = settings();
  const counting = chosen.profile in facts.counting;
  find("profile-means").value = facts.meanings[chosen.profile] ?? "";
  caution.disabled = counting;
  const effect = chosen.caution > 1 ? "fewer, surer attributes" : "more attributes, less sure";
  means.value = counting
    ? `not for ${chosen.profile}, which has no thresholds`
    : chosen.caution === 1
      ? "balanced, as the model was tuned"
      : `${effect} (odds of every threshold × ${chosen.caution})`;
  caution.setAttribute("aria-valuetext", means.value);
  for (const card of cards) card.show(chosen);
  showRequest();
}

function showRequest() {
  const card = cards.includes(touched) ? touched : cards[0];
  const names = card?.files.map(({ name }) => name) ?? ["photo.jpg"];
  find("curl").textContent = asCurl(location.origin, facts, settings(), names);
  find("python").textContent = asPython(location.origin, facts, settings(), names);
  find("curl-colors").textContent = colorsByCurl(location.origin, card?.colored?.file.name ?? names[0]);
}

let due;
const applySoon = () => {
  cancelAnimationFrame(due);
  due = requestAnimationFrame(applySettings);
};
for (const control of [profile, caution, unsure]) control.addEventListener("input", applySoon);
find("settings").addEventListener("submit", (event) => event.preventDefault());

// --- photographs ------------------------------------------------------------------------------------------------------

const photographs = () => cards.flatMap((card) => card.photographs);

// Entries are { file, name }: in a dropped folder the name has the path.
function take(entries) {
  if (!entries.length) return;
  find("results").hidden = false;
  const room = Math.max(0, facts.maxFiles - photographs().length);
  counts.asked += entries.length;
  for (const { name } of entries.slice(room)) fail(name, `more than ${facts.maxFiles} at a time; clear these first`);
  const taken = entries.slice(0, room).map(({ file, name }) => new Card(facts, [new Photograph(facts, file, name)]));
  cards.push(...taken);
  find("cards").append(...taken.map((card) => card.element));
  showRequest();
  answer(taken);
}

function answer(asked) {
  queue.add(asked);
  showProgress();
}

function cancel() {
  for (const card of queue.cancel()) notAnswered(card);
  for (const photograph of colorQueue.cancel()) withColors(photograph, NOT_MEASURED);
  showProgress();
}

async function askAbout(card, signal) {
  try {
    await card.ask(OPTIONS, signal);
    card.show(settings());
    if (!card.isJoined) counts.done++;
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof Refused)) throw error;
    notAnswered(card, error instanceof Refused ? error.message : undefined);
  }
  showProgressSoon();
}

// Handle an entry that was cancelled or refused.
function notAnswered(card, reason) {
  if (card.isJoined) {
    if (cards.includes(card)) joining.failed(card, reason ?? "it was cancelled");
    return;
  }
  cards = cards.filter((other) => other !== card);
  card.forget();
  if (reason === undefined) counts.cancelled++;
  else fail(card.name, reason);
}

function replace(old, made) {
  old[0].element.before(...made.map((card) => card.element));
  const at = cards.indexOf(old[0]);
  cards.splice(at, 0, ...made);
  cards = cards.filter((card) => !old.includes(card));
  for (const card of old) card.element.remove();
  for (const card of made) card.show(settings());
  [touched] = made;
  showRequest();
}

function measureColors() {
  const wanted = cards.map((card) => card.colored).filter((each) => each && each.colors === undefined);
  for (const photograph of wanted) photograph.colors = null; // being measured
  colorQueue.add(wanted);
  showProgress();
}

async function measure(photograph, signal) {
  try {
    withColors(photograph, (await ask("/colors", photograph.file, {}, signal)).colors);
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof Refused)) throw error;
    withColors(photograph, error instanceof Refused ? error.message : NOT_MEASURED);
  }
}

function withColors(photograph, colors) {
  photograph.colors = colors;
  for (const card of cards) if (card.colored === photograph) card.showColors();
}

function fail(name, reason) {
  failures.push({ name, reason });
  find("failed").hidden = false;
  find("failed").querySelector("ul").append(element("li", {}, element("strong", { textContent: name }), `: ${reason}`));
}

let isDue = false;
function showProgressSoon() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    showProgress();
  });
}

function showProgress() {
  const { asked, done, cancelled } = counts;
  find("progress").max = Math.max(asked, 1);
  find("progress").value = done + failures.length;
  find("progress").hidden = queue.isIdle;
  const isIdle = queue.isIdle && colorQueue.isIdle;
  const parts = [`${done} of ${asked} answered`];
  if (failures.length) parts.push(`${failures.length} could not be used`);
  if (cancelled) parts.push(`${cancelled} cancelled`);
  if (queue.isIdle && !colorQueue.isIdle) parts.push("measuring colors …");
  find("status").textContent = parts.join(", ");
  find("cancel").hidden = isIdle;
  find("clear").hidden = !isIdle;
  for (const button of downloads) button.disabled = !isIdle || !(cards.length + failures.length);
  joining.show();
}

find("cancel").addEventListener("click", cancel);
find("clear").addEventListener("click", () => {
  for (const card of cards) card.forget();
  [cards, failures, counts, touched] = [[], [], { asked: 0, done: 0, cancelled: 0 }];
  find("failed").querySelector("ul").replaceChildren();
  find("failed").hidden = find("results").hidden = true;
  joining.unselect();
  showRequest();
  find("files").focus();
});

for (const input of [find("files"), find("camera")]) {
  input.addEventListener("change", () => {
    take(named(input.files));
    input.value = ""; // allows choosing the same file again
  });
}
for (const event of ["focusin", "pointerdown"]) {
  find("cards").addEventListener(event, ({ target }) => {
    const card = cards.find((each) => each.element.contains(target));
    if (!card || card === touched) return;
    touched = card;
    showRequest();
  });
}
document.addEventListener("paste", (event) => take(named(event.clipboardData.files)));
const dragsFiles = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!dragsFiles(event)) return;
  event.preventDefault();
  find("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) find("drop").classList.remove("over");
});
document.addEventListener("drop", async (event) => {
  if (!dragsFiles(event)) return;
  event.preventDefault();
  find("drop").classList.remove("over");
  take(await droppedFiles(event.dataTransfer));
});

// --- downloads and copies ---------------------------------------------------------------------------------------------

async function download(kind) {
  const records = [...cards.map((card) => card.record), ...failures.map(({ name, reason }) => ({ photographs: [name], attributes: [], colors: [], note: reason }))];
  const response = await request(`/try/download/${kind}`, { method: "POST", body: JSON.stringify(records), headers: { "Content-Type": "application/json" } });
  if (!response.ok) {
    const { error } = await response.json().catch(() => ({}));
    throw new Refused(error?.message ?? `status ${response.status}`);
  }
  const link = element("a", { href: URL.createObjectURL(await response.blob()), download: `attributes.${kind}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

for (const button of downloads) {
  button.addEventListener("click", async () => {
    showProgress(); // without the message on an earlier download
    try {
      await download(button.dataset.download);
    } catch (error) {
      find("status").textContent = `Not downloaded: ${error.message}`;
    }
  });
}
// Copy a text, or select it; return whether it was copied. Browsers have a clipboard on https and localhost only.
async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    button.textContent = (await copy(find(button.dataset.copy))) ? "Copied" : "Selected";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}

applySettings();
