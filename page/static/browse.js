// Filters apply as soon as they are chosen: the page is fetched again and the changed parts are replaced, so that
// focus and unfolded sections are kept. A photograph to search by is kept too, and sent again with every change of the
// filters. Without this script the forms work by their buttons.

import { element } from "./elements.js";
import { request } from "./server_requests.js";

const form = () => document.getElementById("filters");
let newest; // an object for the request sent last; responses to earlier ones are ignored
let photograph = null; // the file that products are compared with, and its blob: address
let typed = new Map(); // texts by name that were typed while a list was loaded, and that it does not consider
let isReplacing = false;

async function load(address, remember) {
  const wanted = {};
  newest = wanted;
  typed.clear();
  const sent = texts();
  const page = await fetchPage(address).catch((error) => error);
  if (newest !== wanted) return;
  if (page instanceof Error) {
    report(page.message);
    return;
  }
  const focused = document.activeElement?.id;
  const changed = [...texts()].filter(([name, value]) => value !== sent.get(name));
  const unfolded = [...document.querySelectorAll("#filters details")].map((details) => [details.id, details.open]);
  isReplacing = true;
  for (const id of ["filters", "found", "by-photograph"]) document.getElementById(id).replaceWith(page.getElementById(id));
  isReplacing = false;
  document.getElementById("photograph-note")?.remove(); // it is for pages without this script
  if (photograph) document.getElementById("found").prepend(shownPhotograph());
  for (const [id, open] of unfolded) {
    const details = id ? document.getElementById(id) : document.querySelector("#filters > details");
    if (details) details.open = open;
  }
  document.getElementById("words").value = page.getElementById("words").value;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  typed = new Map(changed);
  for (const field of fields()) if (typed.has(field.name)) field.value = typed.get(field.name);
  if (remember) history.pushState(null, "", address);
}

async function fetchPage(address) {
  const body = new FormData();
  if (photograph) body.append("photograph", photograph.file);
  const response = await request(address, photograph ? { method: "POST", body } : {});
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!page.getElementById("filters")) throw new Error(`the server answered with status ${response.status}; try again`);
  return page;
}

// The photograph that the list is sorted by, and a button that removes it.
function shownPhotograph() {
  const { file, url } = photograph;
  const remove = element("button", { type: "button", textContent: "Remove", onclick: () => { compareWith(null); load(address(), true); } });
  return element("p", { class: "query", id: "query" }, element("img", { src: url, alt: "" }), element("span", { textContent: `Similar to ${file.name}` }), remove);
}

function compareWith(file) {
  if (photograph) URL.revokeObjectURL(photograph.url);
  photograph = file && { file, url: URL.createObjectURL(file) };
}

function searchByPhotograph(file) {
  compareWith(file);
  document.getElementById("words").value = ""; // one search at a time
  load(address(), true);
}

function report(message) {
  document.querySelector("#found > .failed")?.remove();
  document.getElementById("found").prepend(element("p", { class: "failed", role: "alert", textContent: `The list is still the earlier one: ${message}` }));
}

const fields = () => [...form().elements].filter((field) => field.matches("input:not([type=checkbox])"));
const texts = () => new Map(fields().map(({ name, value }) => [name, value]));

function address() {
  const parameters = new URLSearchParams([...new FormData(form())].filter(([, value]) => value !== ""));
  return `/browse?${parameters}`;
}

document.addEventListener("change", ({ target }) => {
  if (isReplacing) return; // removing a text that has the focus also is a "change" of it
  if (target.id === "words") compareWith(null);
  if (target.form?.id === "filters") load(address(), true);
  if (target.id === "photograph" && target.files.length) searchByPhotograph(target.files[0]);
});
// A text that was restored by `load` causes no "change" when it is left.
document.addEventListener("focusout", ({ target }) => {
  if (typed.has(target.name) && !isReplacing) load(address(), true);
});
document.addEventListener("submit", (event) => {
  const { id } = event.target;
  if (id !== "filters" && id !== "by-photograph") return;
  event.preventDefault();
  if (id === "filters") load(address(), true);
  else searchByPhotograph(document.getElementById("photograph").files[0]);
});
addEventListener("popstate", () => {
  compareWith(null); // an address holds filters and words only
  load(location.href, false);
});
if (matchMedia("(max-width: 44rem)").matches) document.querySelector("#filters > details").open = false;
