// The dropped files, including those in folders, recursively.

const SYSTEM_FILES = /^(\..*|Thumbs\.db|desktop\.ini)$/i; // files that operating systems leave in folders

// Must be called synchronously in the drop event: browsers clear the dropped items afterwards.
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
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // returns at most 100 entries per call
    if (!some.length) return found.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
    const files = await Promise.all(some.filter(({ name }) => !SYSTEM_FILES.test(name)).map(filesOf));
    found.push(...files.flat());
  }
}
