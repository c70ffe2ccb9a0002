// Filters apply as soon as they are chosen: the page is fetched again and the changed parts are replaced, so that
// focus and unfolded sections are kept. Without this script the forms work by their buttons.

import { element } from "./elements.js";
import { request } from "./server_requests.js";

const form = () => document.getElementById("filters");
let newest; // URL requested last; responses to earlier ones are ignored
let typed = new Map(); // texts by name that were typed while a list was loaded, and that it does not consider
let isReplacing = false;

async function load(address, remember) {
  newest = address;
  typed.clear();
  const sent = texts();
  const page = await fetchPage(address).catch((error) => error);
  if (newest !== address) return;
  newest = null; // ignore a second response for the same URL
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
  const response = await request(address);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!page.getElementById("filters")) throw new Error(`the server answered with status ${response.status}; try again`);
  return page;
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

document.addEventListener("change", (event) => {
  if (isReplacing) return; // removing a text that has the focus also is a "change" of it
  if (event.target.form?.id === "filters") load(address(), true);
  if (event.target.id === "photograph") {
    newest = null;
    event.target.form.requestSubmit();
  }
});
// A text that was restored by `load` causes no "change" when it is left.
document.addEventListener("focusout", ({ target }) => {
  if (typed.has(target.name) && !isReplacing) load(address(), true);
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "filters") return;
  event.preventDefault();
  load(address(), true);
});
addEventListener("popstate", () => load(location.href, false));
if (matchMedia("(max-width: 44rem)").matches) document.querySelector("#filters > details").open = false;
