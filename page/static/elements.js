// Creates elements with text content only: names of files and labels are never parsed as HTML.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("aria-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const percent = (probability) => {
  const rounded = Math.round(100 * probability);
  return rounded === 100 && probability < 1 ? ">99 %" : rounded === 0 && probability > 0 ? "<1 %" : `${rounded} %`;
};

// Display name of a group: print type, not print_type.
export const readableName = (group) => group.replaceAll("_", " ");

// Focus a control of the product that has just appeared, unless the reviewer is elsewhere on the page by now: the next
// key would decide something that was not meant.
export function focusInReview(control) {
  if (!document.activeElement?.closest("details, header")) control?.focus();
}
