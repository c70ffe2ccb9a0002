// The request of this page as a command and as a program.

const PLAIN = /^[\w. -]+$/; // names that mean nothing to a shell, to curl or to Python
const DEFAULT = "photo.jpg";

export function optionHeaders(facts, settings) {
  const headers = {};
  if (settings.profile !== facts.default) headers["Fashion-Profile"] = settings.profile;
  if (settings.caution !== 1) headers["Fashion-Caution"] = String(settings.caution);
  return headers;
}

export function asCurl(origin, facts, settings, name = DEFAULT) {
  const file = PLAIN.test(name) && !name.startsWith("-") ? name : DEFAULT;
  const headers = Object.entries(optionHeaders(facts, settings)).map(([key, value]) => ` \\\n  -H '${key}: ${value}'`);
  return `curl ${origin}/predictions/${facts.name} -T '${file}'${headers.join("")}`;
}

export function asPython(origin, facts, settings, name = DEFAULT) {
  const file = PLAIN.test(name) ? name : DEFAULT;
  const headers = Object.entries(optionHeaders(facts, settings)).map(([key, value]) => `"${key}": "${value}"`);
  return [
    "from pathlib import Path",
    "",
    "import requests",
    "",
    "answer = requests.post(",
    `    "${origin}/predictions/${facts.name}",`,
    `    data=Path("${file}").read_bytes(),`,
    ...(headers.length ? [`    headers={${headers.join(", ")}},`] : []),
    ").json()",
    'for attribute in answer["attributes"]:',
    '    print(attribute["group"], attribute["name"], attribute["probability"])',
  ].join("\n");
}
