"""Pack a bundle as a .mar archive for TorchServe, or as a model in a Triton repository.

From the command line:  python -m serving.archive BUNDLE [--out model_store/fashion.mar]
                        python -m serving.archive BUNDLE --format triton [--out model_store/triton]
"""

import argparse
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fashion
from fashion.errors import BundleError, SettingError, one_line_errors
from fashion.flags import add_engine_flag
from fashion.model_card import CARD_FILE, INT8_FILE, ONNX_FILE, STATE_DICT_FILE, ModelCard, checked_file
from serving.model_name import check_name
from serving.triton import write_repository

SERVING = Path(__file__).parent
HANDLER_FILE = "handler.py"
CONFIG_FILE = "model-config.yaml"
# Modules of serving/ that the handler imports; they are packed into the archive beside the package `fashion`.
HANDLER_MODULES = (
    *("__init__.py", "binary_tensors.py", "metrics.py", "protocol.py", "repeated_parts.py"),
    *("request_parsing.py", "responder.py", "decompression.py"),
)

# Subpackages of `fashion` that are not packed: networks, unless torch runs the model, and those for commands and
# reports: tables, downloads and pictures.
NETWORKS = "backbones"
NOT_SERVED = ("fetching", "pictures", "tables")

MANIFEST = "MAR-INF/MANIFEST.json"

DEFAULT_OUT = Path("model_store/fashion.mar")
TRITON_REPOSITORY = Path("model_store/triton")


def archive(
    bundle: Path,
    out: Path = DEFAULT_OUT,
    name: str | None = None,
    engine: str = "auto",
    config: Path = SERVING / CONFIG_FILE,
) -> Path:
    """Pack a bundle and the code that serves it into one .mar, written atomically.

    An existing archive with the same contents is left untouched, including its modification time.

    Args:
        bundle: the folder written by `python -m training.export`.
        out: the file to write, ending in `.mar`.
        name: of the model in TorchServe, and so in the URL `/predictions/NAME`; default is the stem of `out`.
        engine: the engine to pack weights for, see `weights_for`.
        config: TorchServe's settings for the model: workers, batches, timeouts.

    Returns:
        `out`.

    Raises:
        BundleError: the bundle is missing, incomplete or modified, or the archiver failed.
        SettingError: an invalid name, engine or config, or a file name that does not end in `.mar`.
    """
    bundle, out = Path(bundle), Path(out)
    name = name or out.stem
    if out.suffix != ".mar":
        raise SettingError(f"the archive {str(out)!r} must end in .mar; TorchServe loads no other file")
    check_name(name)
    if not Path(config).is_file():
        raise SettingError(f"no file {str(config)!r}; start from {SERVING / CONFIG_FILE}")
    card = ModelCard.load(bundle)
    weights = weights_for(bundle, card, engine)
    # The archiver uses a folder with the model's name in TMPDIR, so a private TMPDIR avoids collisions.
    with tempfile.TemporaryDirectory(prefix="fashion-archive-") as temporary:
        staged = _stage(Path(temporary) / "staged", bundle, weights, Path(config))
        packed = _pack(staged, Path(temporary), name, card.version)
        _install(packed, out)
    return out


def weights_for(bundle: Path, card: ModelCard, engine: str = "auto") -> list[str]:
    """The weights files to pack, each checked against the card's sha256.

    `int8`, `onnx` and `torch` select the file of that engine. `auto` selects the int8 file for the CPU (24 MB for
    ResNet50, a quarter of the others; else the fp32 ONNX file) and also `model.pth` (94 MB), so that the same archive
    runs on a GPU. TorchServe unpacks the whole archive at every start, so use `int8` if there is no GPU.

    Raises:
        BundleError: a file is missing or modified.
        SettingError: an unknown engine.
    """
    has = [name for name in (INT8_FILE, ONNX_FILE, STATE_DICT_FILE) if (bundle / name).is_file()]
    choice = {
        "auto": [*has[:1], *(name for name in has[1:] if name == STATE_DICT_FILE)] or [INT8_FILE],
        "int8": [INT8_FILE],
        "onnx": [ONNX_FILE],
        "torch": [STATE_DICT_FILE],
    }
    if engine not in choice:
        raise SettingError(f"engine {engine!r} is unknown; choose one of: {', '.join(choice)}")
    for name in choice[engine]:
        checked_file(bundle, card, name)
    return choice[engine]


def _stage(staged: Path, bundle: Path, weights: list[str], config: Path) -> Path:
    """Lay out the archive's contents, except for the handler, as symbolic links, which the archiver follows."""
    code = Path(fashion.__file__).parent
    sources = {name: bundle / name for name in (CARD_FILE, *weights)} | {CONFIG_FILE: config}
    left_out = NOT_SERVED if STATE_DICT_FILE in weights else (*NOT_SERVED, NETWORKS)
    sources |= {
        f"fashion/{path.relative_to(code)}": path
        for path in code.rglob("*")
        if path.suffix in (".py", ".csv") and path.relative_to(code).parts[0] not in left_out
    }
    sources |= {f"serving/{name}": SERVING / name for name in HANDLER_MODULES}
    for name, source in sources.items():
        link = staged / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source.resolve())
    return staged


def _pack(staged: Path, temporary: Path, name: str, version: str) -> Path:
    command = [sys.executable, "-m", "model_archiver.model_packaging"]
    command += ["--model-name", name, "--version", version]
    command += ["--handler", str(SERVING / HANDLER_FILE), "--config-file", str(staged / CONFIG_FILE)]
    command += ["--extra-files", str(staged), "--export-path", str(temporary)]
    command += ["--archive-format", "zip-store"]  # weights do not compress, and uncompressed files unpack faster
    work = temporary / "work"
    work.mkdir()
    result = subprocess.run(command, env=os.environ | {"TMPDIR": str(work)}, capture_output=True, text=True)
    if result.returncode:
        if any(os.strerror(number) in result.stderr for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temporary))
        last = result.stderr.strip().splitlines()[-1:] or ["it printed nothing"]
        raise BundleError(f"torch-model-archiver failed with status {result.returncode}: {last[0]}")
    return temporary / f"{name}.mar"


def _install(packed: Path, out: Path) -> None:
    if out.exists() and _contents(out) == _contents(packed):
        return  # a running server need not be restarted
    out.parent.mkdir(parents=True, exist_ok=True)
    # The temporary name must not end in .mar: a server that starts meanwhile loads every .mar in the folder.
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        shutil.copyfile(packed, temporary)
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)


def _contents(archive: Path) -> dict[str, Any] | None:
    """Checksum of each file, and the manifest without the packing time; None if it is not an archive."""
    try:
        with zipfile.ZipFile(archive) as file:
            manifest = json.loads(file.read(MANIFEST)) | {"createdOn": None}
            return {entry.filename: entry.CRC for entry in file.infolist()} | {MANIFEST: manifest}
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError):
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Pack a bundle and print a summary."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.archive", description="Pack a bundle for TorchServe, or for Triton."
    )
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument(
        "--format",
        choices=("mar", "triton"),
        default="mar",
        help="mar: a file for TorchServe; triton: a model in a repository of Triton (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help=f"file to write (default: {DEFAULT_OUT}), or Triton's repository (default: {TRITON_REPOSITORY})",
    )
    parser.add_argument("--name", help="name of the model (default: the stem of --out, fashion for Triton)")
    add_engine_flag(parser, "engine whose weights to pack; auto: int8 for the CPU and model.pth for a GPU")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"workers, batches, timeouts of TorchServe (default: {SERVING / CONFIG_FILE})",
    )
    options = parser.parse_args(arguments)
    if options.config and options.format == "triton":
        parser.error("--config is for TorchServe; with --format triton change config.pbtxt in the repository")
    with one_line_errors():
        if options.format == "triton":
            name = options.name or "fashion"
            check_name(name)
            repository = options.out or TRITON_REPOSITORY
            out = write_repository(options.bundle, repository, name, options.engine)
            print(f"{out}: tritonserver --model-repository {repository}")
            return 0
        config = options.config or SERVING / CONFIG_FILE
        out = archive(options.bundle, options.out or DEFAULT_OUT, options.name, options.engine, config)
        card = ModelCard.load(options.bundle)
        weights = " + ".join(weights_for(options.bundle, card, options.engine))
        model = f"{card.name} {card.version}, {len(card.labels)} labels, {weights}"
        print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {model}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
