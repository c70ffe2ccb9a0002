// Tables of the class `sortable`: a click on a heading sorts by its column, another click reverses the order.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const before = heading.getAttribute("aria-sort");
      const text = heading.classList.contains("text");
      const order = before ? (before === "ascending" ? "descending" : "ascending") : text ? "ascending" : "descending";
      const sign = order === "ascending" ? 1 : -1;
      const value = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
      const compare = (a, b) => {
        if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === ""); // empty cells last
        return sign * (text ? value(a).localeCompare(value(b)) : value(a) - value(b));
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", order);
    });
  });
}
for (const hint of document.querySelectorAll(".needs-js")) hint.hidden = false;
