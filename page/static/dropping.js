// What was dropped, with the files of folders and of folders within them.

const OF_THE_SYSTEM = /^(\..*|Thumbs\.db|desktop\.ini)$/i; // files that systems leave in folders

// To be called while the drop is handled: browsers forget what was dropped afterwards.
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = await Promise.all(entries.map(filesOf));
  return found.flat();
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const found = [];
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100 at a time
    if (!some.length) return found.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
    const files = await Promise.all(some.filter(({ name }) => !OF_THE_SYSTEM.test(name)).map(filesOf));
    found.push(...files.flat());
  }
}
