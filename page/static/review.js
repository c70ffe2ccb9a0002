// The page "Review": a queue from the server, one item or batch at a time, saved as soon as it is decided.
import { Conflict, get, post } from "./review_requests.js";
import { element } from "./elements.js";
import { BatchView } from "./review_batch.js";
import { startRefitting } from "./review_refit.js";
import { SingleView } from "./review_single.js";

const find = (id) => document.getElementById(id);
const labels = JSON.parse(find("labels").textContent);
const NAME = "reviewer"; // key in localStorage
const SETTINGS = ["kind", "group", "label", "where"]; // of the queue
const save = (corrections) => attempt(() => write(corrections));
const single = new SingleView(save);
const batch = new BatchView(save);

let waiting = []; // items or batches not yet shown
let current;
let saved = []; // { numbers, states, item, dropped, isOutdated } of each saved decision, for undo
let decided = 0;
let isBusy = false;
let isStale = false;
const known = new Map(); // latest known state by product
const skipped = new Set();

const viewOf = (each) => (each.products ? batch : single);
const who = () => find("who").value.trim();
const nameOf = (each) => JSON.stringify([each.product, each.group, each.name]);

// --- the queue --------------------------------------------------------------------------------------------------------

async function load() {
  const [kind, group, label, where] = SETTINGS.map((id) => find(id).value);
  history.replaceState(null, "", `?${new URLSearchParams({ kind, group, label, where })}`);
  const found = await get("/review/queue", { kind, group, label, where, skip: skipped.size }).catch(showNothing);
  for (const decision of saved) decision.dropped = []; // of an earlier queue
  // Each keeps its queue, which is saved with the decision; another one may be selected by then.
  waiting = (found.batches ?? found.items).filter((each) => !skipped.has(nameOf(each))).map((each) => ({ ...each, kind, where }));
  next();
}

function next() {
  current = waiting.shift();
  find("single").hidden = !current || viewOf(current) !== single;
  find("batch").hidden = !current || viewOf(current) !== batch;
  find("nothing").hidden = Boolean(current);
  if (current) viewOf(current).show(current);
}

// The queue cannot be loaded: nothing of an earlier one may be decided under the new settings.
function showNothing(error) {
  waiting = [];
  next();
  find("nothing").hidden = true;
  throw error;
}

// Show the next item; if none is left, load more from the server.
const advance = async () => (waiting.length ? next() : load());

function skip() {
  skipped.add(nameOf(current));
  return advance();
}

function tell() {
  const rest = current ? `; ${waiting.length} more loaded` : find("nothing").hidden ? "" : "; nothing left";
  find("told").textContent = `${decided} decided${rest}`;
  find("undo").disabled = !saved.length;
}

// --- corrections ------------------------------------------------------------------------------------------------------

async function write(corrections) {
  const shown = current;
  const products = shown.products ?? [shown];
  const seen = Object.fromEntries(products.map(({ product, state }) => [product, state]));
  try {
    const written = await post("/review/corrections", { corrections, seen, who: who(), found_by: shown.kind, where: shown.where });
    saved.push({ ...written, item: shown, dropped: drop(corrections) });
    remember(written.states);
  } catch (error) {
    if (error instanceof Conflict) await lookAgain(shown);
    throw error;
  }
  decided += products.length;
  await advance();
}

// Remove the other questions on products that are "not a product", because their answers would overrule it; return them.
function drop(corrections) {
  const products = corrections.filter(([, verdict]) => verdict === "not a product").map(([product]) => product);
  const isDropped = (each) => (each.products ?? [each]).some(({ product }) => products.includes(product));
  const dropped = waiting.filter(isDropped);
  waiting = waiting.filter((each) => !isDropped(each));
  return dropped;
}

async function undo() {
  const decision = saved.at(-1);
  if (!decision) return;
  try {
    const undone = await post("/review/undo", { numbers: decision.numbers, seen: latest(decision.states), who: who() });
    remember(undone.states); // before the item is removed from `saved`
  } catch (error) {
    if (error instanceof Conflict) await showOutdated(decision);
    throw error;
  }
  saved.pop();
  decided -= Object.keys(decision.states).length;
  waiting.unshift(...decision.dropped);
  showBefore(decision, decision.isOutdated ? await refreshed(decision.item) : decision.item);
}

// Another reviewer changed a product of the decision meanwhile: show its current state; the next undo is of that.
async function showOutdated(decision) {
  const item = await refreshed(decision.item);
  decision.isOutdated = true;
  remember(Object.fromEntries((item.products ?? [item]).map(({ product, state }) => [product, state])));
  showBefore(decision, item);
}

// Show the item of a decision, before the current one.
function showBefore(decision, item) {
  if (current && current !== decision.item) waiting.unshift(current);
  decision.item = item;
  waiting.unshift(item);
  next();
}

// Record new states from the server, also in other items of the same product.
function remember(states) {
  for (const [product, state] of Object.entries(states)) known.set(product, state);
  const all = [current, ...waiting, ...saved.map((each) => each.item)].filter(Boolean);
  for (const each of all.flatMap((item) => item.products ?? [item])) each.state = known.get(each.product) ?? each.state;
}

const latest = (states) => Object.fromEntries(Object.keys(states).map((product) => [product, known.get(product)]));

// Another reviewer changed the product meanwhile: show the item again with its current state.
async function lookAgain(shown) {
  if (shown.products) {
    await load();
    return;
  }
  current = await refreshed(shown);
  single.show(current);
}

// An item or a batch with its current state and answers.
async function refreshed(item) {
  const ask = (product) => get("/review/item", { product, group: item.group });
  const reason = "changed by another reviewer; this is its current state";
  if (!item.products) return { ...item, ...(await ask(item.product)), reason };
  const products = item.products.map(async (each) => {
    const { state, choices } = await ask(each.product);
    const { probability, answered } = choices.find(({ name }) => name === item.name);
    return { ...each, state, probability, answered };
  });
  return { ...item, products: await Promise.all(products), reason };
}

// Runs one action at a time, so that a held key saves only one product, and shows errors.
async function attempt(work) {
  if (isBusy) {
    isStale ||= work === load; // another queue was chosen meanwhile: load it afterwards
    return;
  }
  isBusy = true;
  find("error").hidden = true;
  try {
    await work();
  } catch (error) {
    find("error").textContent = error.message;
    find("error").hidden = false;
  } finally {
    isBusy = false;
    tell();
  }
  if (isStale) {
    isStale = false;
    await attempt(load);
  }
}

// --- controls ---------------------------------------------------------------------------------------------------------

function listLabels() {
  const names = labels[find("group").value] ?? [];
  find("label").replaceChildren(element("option", { value: "", textContent: "all" }), ...names.map((name) => element("option", { textContent: name })));
  find("label").disabled = !names.length;
}

// The address has the queue, so that a reload or a way back shows it again.
function readAddress() {
  for (const [id, value] of new URLSearchParams(location.search)) {
    if (!SETTINGS.includes(id) || (find(id).options && ![...find(id).options].some((option) => option.value === value))) continue;
    find(id).value = value;
    if (id === "group") listLabels();
  }
}

find("group").addEventListener("change", listLabels);
for (const id of SETTINGS) find(id).addEventListener("change", () => attempt(load));
find("queue").addEventListener("submit", (event) => event.preventDefault());
for (const id of ["next", "skip"]) find(id).addEventListener("click", () => attempt(skip));
find("undo").addEventListener("click", () => attempt(undo));
find("who").value = localStorage.getItem(NAME) ?? find("who").value;
find("who").addEventListener("change", () => localStorage.setItem(NAME, who()));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea, summary")) return;
  const isElsewhere = event.target.matches("button, a") && !event.target.closest("#options, #tiles");
  if (event.key === "Enter" && isElsewhere) return; // Enter belongs to the focused control
  const commands = { u: undo, ...(current ? { ArrowRight: skip, s: skip } : {}) };
  if (current && viewOf(current).key(event)) event.preventDefault();
  else if (commands[event.key]) {
    event.preventDefault();
    attempt(commands[event.key]);
  }
});

readAddress();
startRefitting(who, () => attempt(load));
attempt(load);
