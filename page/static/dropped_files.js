// The dropped files, including those in folders, recursively.

const SYSTEM_FILES = /^(\..*|Thumbs\.db|desktop\.ini)$/i; // files that operating systems leave in folders

// Files with their own names.
export const named = (files) => [...files].map((file) => ({ file, name: file.name }));

// The files with names that have their path, without the dropped folder if that is one.
// Must be called synchronously in the drop event: browsers clear the dropped items afterwards.
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return named(transfer.files);
  const found = (await Promise.all(entries.map(filesOf))).flat();
  const start = entries.length > 1 ? 1 : entries[0].fullPath.length + 1;
  const files = found.map(({ file, path }) => ({ file, name: path.slice(start) }));
  return files.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
}

async function filesOf(entry) {
  if (entry.isFile) return [{ path: entry.fullPath, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
  const found = [];
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // returns at most 100 entries per call
    if (!some.length) return found;
    const files = await Promise.all(some.filter(({ name }) => !SYSTEM_FILES.test(name)).map(filesOf));
    found.push(...files.flat());
  }
}
