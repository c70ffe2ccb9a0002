// Filters apply as soon as they are chosen: the page is fetched again and the changed parts are replaced, so that
// focus and unfolded sections are kept. Without this script the forms work by their buttons.

const form = () => document.getElementById("filters");
let newest; // URL requested last; responses to earlier ones are ignored

async function load(address, remember) {
  newest = address;
  const response = await fetch(address);
  const text = await response.text();
  if (newest !== address) return;
  newest = null; // ignore a second response for the same URL
  const page = new DOMParser().parseFromString(text, "text/html");
  const focused = document.activeElement?.id;
  const unfolded = [...document.querySelectorAll("#filters details")].map((details) => [details.id, details.open]);
  for (const id of ["filters", "found", "by-photograph"]) document.getElementById(id).replaceWith(page.getElementById(id));
  for (const [id, open] of unfolded) {
    const details = id ? document.getElementById(id) : document.querySelector("#filters > details");
    if (details) details.open = open;
  }
  document.getElementById("words").value = page.getElementById("words").value;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  if (remember) history.pushState(null, "", address);
}

function address() {
  const parameters = new URLSearchParams([...new FormData(form())].filter(([, value]) => value !== ""));
  return `/browse?${parameters}`;
}

document.addEventListener("change", (event) => {
  if (event.target.form?.id === "filters") load(address(), true);
  if (event.target.id === "photograph") {
    newest = null;
    event.target.form.requestSubmit();
  }
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "filters") return;
  event.preventDefault();
  load(address(), true);
});
addEventListener("popstate", () => load(location.href, false));
if (matchMedia("(max-width: 44rem)").matches) document.querySelector("#filters > details").open = false;
