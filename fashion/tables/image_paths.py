"""Find the file of the photograph that a cell of a product table names.

Shop tables contain URLs, paths from another machine, or several photographs in a cell. Nothing is downloaded here:
files are searched for beside the table, and those of URLs also where `fashion.fetching` puts them.
"""

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from fashion.tables.cells import photographs
from fashion.tables.columns import IMAGE_ENDINGS, IMAGE_FOLDERS
from fashion.tables.failed_downloads import failed_download
from fashion.tables.file_names import file_spelled_alike

FETCHED_FOLDER = "fetched"  # beside a table: photographs downloaded from its URLs, named by a hash of the URL
MOST_PARTS = 4  # a path that does not exist is searched for by at most this many of its last parts
MOST_BYTES = 255  # length limit of a file name
SHOWN = 120  # characters of a cell quoted in a message

_ADDRESS = re.compile(r"(?i)[a-z][a-z0-9+.-]+://|//[^/\\]")
_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/])")
_LIST = re.compile(r"""\[\s*(["'])(.*?)\1.*\]""", re.DOTALL)  # ["a.jpg", "b.jpg"], a list of JSON or Python
_LISTED = re.compile(r"""(["'])(.*?)\1\s*(?=[,\]]|(?<=\s)["'])""", re.DOTALL)  # numpy omits commas
_ARRAY = re.compile(r"\{([^{}:]*)\}")  # {a.jpg,b.jpg}, an array of PostgreSQL
_BETWEEN = " \t\r\n,;|"  # characters that separate photographs in a cell
_WITHIN = re.compile(r"""["'(](https?://[^"')\s]+)["')]""")  # <img src="https://...">, =IMAGE("https://...")
_ENDING = r"\.(?:jpe?g|jfif|png|webp|gif|avif|bmp|tiff?|heic)"
# A comma in a query, as in a.jpg?auto=format,compress, belongs to it unless another photograph follows.
_QUERY = rf"\?(?:[^\s,;|]|[,;|](?!\s|https?:|//|[^\s,;|?]*{_ENDING}))*+"
_ENDED = rf"{_ENDING}(?:{_QUERY})?"
_SEVERAL = re.compile(rf"(?is)(.+?(?:{_ENDED}(?=\s*[,;|\n]\s*\S)|(?=\s*[,;|\s]\s*https?://)))")


@dataclass(frozen=True)
class ImagePaths:
    """The candidate paths of the photograph that a cell names, most likely first.

    In order: the cell as it is; the first of several photographs; for a URL or a path from another machine, its last
    parts. Each is tried in both Unicode normal forms and finally in any letter case, in `folder` itself and in its
    image folders.

    Attributes:
        folder: the table's folder.
        cell: the photograph's name, path or URL, or several of them.
    """

    folder: Path
    cell: str

    @property
    def url(self) -> str | None:
        """The photograph's URL, or None if the cell has none."""
        wanted = first_listed_photograph(self.cell).strip()
        if not is_url(wanted):
            return None
        return f"https:{wanted}" if wanted.startswith("//") else wanted

    @property
    def download_path(self) -> Path | None:
        """The path that a photograph with a URL is downloaded to; None without a URL."""
        if self.url is None:
            return None
        name = hashlib.sha256(self.url.encode(errors="surrogatepass")).hexdigest()[:40]
        return self.folder / FETCHED_FOLDER / f"{name}.jpg"

    def __iter__(self) -> Iterator[Path]:
        if self.download_path is not None:
            yield self.download_path
        names = [name for name in self._names() if _may_be_a_file(name)]
        for name in names:
            yield from (self.folder / sub / (name + ending) for ending in IMAGE_ENDINGS for sub in IMAGE_FOLDERS)
        for name in names:
            within = (f"{sub}/{name}" if sub else name for sub in IMAGE_FOLDERS)
            yield from filter(None, (file_spelled_alike(self.folder, path) for path in within))

    def missing_message(self) -> str:
        """The message if none of the paths is a file."""
        wanted = first_listed_photograph(self.cell)
        tried = f"is not in {self.folder} nor in its folder {', '.join(filter(None, IMAGE_FOLDERS))}"
        if not is_url(wanted):
            return f"{_shown(wanted)} {tried}"
        return f"{_shown(wanted)} {self._why_not_downloaded()}; {_last_part(wanted)} {tried}"

    def _why_not_downloaded(self) -> str:
        """Why there is no download of the photograph's URL."""
        url = self.url or ""
        if not url.lower().startswith(("http://", "https://")):
            return "is a URL, which is not downloaded: copy the file into the folder of the table"
        reason = failed_download(self.folder / FETCHED_FOLDER, url)
        return f"could not be downloaded: {reason}" if reason else "is a URL, which --fetch downloads"

    def folders(self) -> set[Path]:
        """The folders of the candidate paths, without the usual image folders."""
        return {(self.folder / name).parent for name in self._names() if _may_be_a_file(name)}

    def _names(self) -> Iterator[str]:
        """Yield candidate names without duplicates: relative to the folder, with slashes."""
        seen: set[str] = set()
        as_it_stands = () if is_url(self.cell) else (self.cell,)
        for name in (*as_it_stands, *_shorter_and_shorter(first_listed_photograph(self.cell))):
            for form in (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)):
                if form and form not in seen:
                    seen.add(form)
                    yield form


def named_folders(folder: Path, cells: Iterable[str]) -> list[Path]:
    """The folders in which the photographs of these cells may be, other than `folder` itself; not all exist.

    Their usual image folders are not included.
    """
    paths = {first_listed_photograph(cell).replace("\\", "/").rpartition("/")[0] for cell in cells}
    found = {each for path in paths if path for each in ImagePaths(folder, f"{path}/x").folders()}
    return sorted(found - {folder})


def first_listed_photograph(cell: str) -> str:
    """The first photograph of a cell such as `a.jpg, b.jpg`; the cell itself if it names only one."""
    return listed_photographs(cell)[0]


def listed_photographs(cell: str) -> list[str]:
    """The photographs of a cell such as `a.jpg, b.jpg`, in order; the cell itself if it names only one."""
    if found := _bracketed(cell.strip()):
        return found
    if cell.rstrip().endswith((",", ";", "|")):
        cell = cell.rstrip(_BETWEEN)
    names = []
    rest = cell
    while several := _SEVERAL.match(rest):
        names.append(several[1].strip(_BETWEEN))
        rest = rest[several.end() :].lstrip(_BETWEEN)
    return [*names, rest.strip()] if names else _WITHIN.findall(cell) or [cell]


def _bracketed(cell: str) -> list[str]:
    """The photographs of a cell with a list of JSON, Python or PostgreSQL; empty for any other cell."""
    if _LIST.fullmatch(cell):
        return [found[2].strip() for found in _LISTED.finditer(cell)]
    if array := _ARRAY.fullmatch(cell):
        return [name.strip(' "') for name in array[1].split(",") if name.strip(' "')]
    if cell in ("[]", "{}"):
        return [""]
    if cell[:1] not in ("[", "{"):
        return []
    try:
        return [text for text in photographs(json.loads(cell)) if isinstance(text, str)]
    except (ValueError, RecursionError):
        return []


def named_photographs(folder: Path, cell: str) -> list[str]:
    """The distinct photographs that a cell names, or only the cell itself if a file beside the table has that name."""
    names = listed_photographs(cell)
    if len(names) > 1 and not is_url(cell) and any(os.path.isfile(folder / sub / cell) for sub in IMAGE_FOLDERS):
        return [cell]
    return list(dict.fromkeys(filter(None, names)))


def is_url(name: str) -> bool:
    """Whether this is a URL, not a path."""
    return _ADDRESS.match(name) is not None


def _may_be_a_file(name: str) -> bool:
    return all(len(part.encode(errors="surrogatepass")) <= MOST_BYTES for part in name.split("/"))


def _shorter_and_shorter(name: str) -> Iterator[str]:
    """Yield a path as it is, unless it is a URL; then its last `MOST_PARTS` parts, then one part fewer each time."""
    if not is_url(name):
        yield name
    for path in dict.fromkeys((_path(name), unquote(_path(name)))):
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        for start in range(max(0, len(parts) - MOST_PARTS), len(parts)):
            yield "/".join(parts[start:])


def _path(name: str) -> str:
    """A path without scheme, host and query of a URL, or without the drive letter."""
    if is_url(name):
        _, _, rest = name.partition("//")
        _, _, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
        return path
    return _DRIVE.sub("", name).replace("\\", "/")


def _last_part(name: str) -> str:
    return unquote(_path(name)).rpartition("/")[2]


def _shown(name: str) -> str:
    return " ".join(name[:SHOWN].split()) + ("..." if len(name) > SHOWN else "")
