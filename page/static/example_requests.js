// The request of this page as a curl command and as a Python program.

const PLAIN = /^[\w. -]+$/; // names without special characters of the shell, curl or Python

// The name if it needs no quoting in a command, or else a substitute.
function plain(name, at, count) {
  return PLAIN.test(name) && !name.startsWith("-") ? name : count > 1 ? `photo-${at + 1}.jpg` : "photo.jpg";
}

export function optionHeaders(facts, settings, isJoined) {
  const headers = {};
  if (isJoined) headers["Fashion-Product"] = "true";
  if (settings.profile !== facts.default) headers["Fashion-Profile"] = settings.profile;
  if (settings.caution !== 1) headers["Fashion-Caution"] = String(settings.caution);
  return headers;
}

// `names` are the file names of one product's photographs.
export function asCurl(origin, facts, settings, names) {
  const files = names.map((name, at) => plain(name, at, names.length));
  const isJoined = files.length > 1;
  const photographs = isJoined ? files.map((file) => ` \\\n  -F 'image=@${file}'`).join("") : ` -T '${files[0]}'`;
  const headers = Object.entries(optionHeaders(facts, settings, isJoined)).map(([key, value]) => ` \\\n  -H '${key}: ${value}'`);
  return `curl ${origin}/predictions/${facts.name}${photographs}${headers.join("")}`;
}

export function asPython(origin, facts, settings, names) {
  const files = names.map((name, at) => plain(name, at, names.length));
  const isJoined = files.length > 1;
  const headers = Object.entries(optionHeaders(facts, settings, isJoined)).map(([key, value]) => `"${key}": "${value}"`);
  return [
    "from pathlib import Path",
    "",
    "import requests",
    "",
    ...(isJoined ? [`names = [${files.map((file) => `"${file}"`).join(", ")}]`] : []),
    "answer = requests.post(",
    `    "${origin}/predictions/${facts.name}",`,
    isJoined ? '    files=[("image", (name, Path(name).read_bytes())) for name in names],' : `    data=Path("${files[0]}").read_bytes(),`,
    ...(headers.length ? [`    headers={${headers.join(", ")}},`] : []),
    ").json()",
    'for attribute in answer["attributes"]:',
    '    print(attribute["group"], attribute["name"], attribute["probability"])',
  ].join("\n");
}

export const colorsByCurl = (origin, name) => `curl ${origin}/colors -T '${plain(name, 0, 1)}'`;
