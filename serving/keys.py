"""Read TorchServe's keys, and pass them to the reverse proxy.

With token authorization, TorchServe generates new keys at every start and writes them to key_file.json in its working
directory. Clients need the new keys; the proxy in deploy/ reads the inference key from an include file.

From the command line:  python -m serving.keys [--nginx FILE [--reload COMMAND] [--watch]]
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from fashion.errors import FashionError, one_line_errors
from fashion.files import write_atomically

KEY_FILE = "key_file.json"
ROLES = ("inference", "management")
KEY = re.compile(r"[A-Za-z0-9_=-]+")  # URL-safe base64; no characters special to nginx or HTTP headers

POLL = 0.2  # s; TorchServe writes its keys about a second before it answers
SETTLED = 1.0  # s since the last change after which a key file counts as complete
RETRY = 10.0  # s


class KeyFileError(FashionError):
    """A key or token cannot be read."""


def read_key(file: Path, role: str = "inference") -> str:
    """Read a key from TorchServe's key file.

    Args:
        file: the key_file.json.
        role: which key, one of `ROLES`.

    Raises:
        KeyFileError: the file is missing or incomplete, or does not contain the key.
    """
    try:
        key = json.loads(Path(file).read_text(encoding="utf-8"))[role]["key"]
    except OSError as error:
        raise KeyFileError(
            f"no keys in {str(file)!r}: {error.strerror}; TorchServe writes its keys into the folder it was started in"
        ) from None
    except (ValueError, KeyError, TypeError):
        key = None
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise KeyFileError(f"{file} holds no key for {role}; give the {KEY_FILE} of a running TorchServe")
    return key


def read_token(given: str) -> str:
    """Read a token given by the user: the token itself, or `@FILE` for a key file or a file with only the token.

    Raises:
        KeyFileError: the file cannot be read, or the token is invalid.
    """
    if not given.startswith("@"):
        token = given
    else:
        try:
            token = Path(given[1:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise KeyFileError(f"no token in {given[1:]!r}: {getattr(error, 'strerror', 'not text')}") from None
        if token.startswith("{"):
            return read_key(Path(given[1:]))
    if not re.fullmatch(r"[!-~]+", token):
        raise KeyFileError(f"{given!r} is not a token; give the token itself, or @{KEY_FILE}")
    return token


def authorization(token: str) -> dict[str, str]:
    """The authorization header with a token."""
    return {"Authorization": f"Bearer {token}"}


def write_include(key: str, out: Path) -> bool:
    """Write the key to a file for nginx to include, readable by its owner only; return whether the file changed.

    Raises:
        KeyFileError: the file cannot be read or written.
    """
    line = f'proxy_set_header Authorization "Bearer {key}";\n'
    try:
        if out.exists() and out.read_bytes() == line.encode():
            return False
        write_atomically(out, line, mode=0o600)
    except OSError as error:
        raise KeyFileError(f"{out} cannot be written: {error.strerror or error}") from None
    return True


def update_proxy_key(file: Path, out: Path, reload: str | None = None) -> bool:
    """Update the proxy's include file, and run the command that reloads the proxy.

    Args:
        file: the key_file.json.
        out: the file that nginx includes.
        reload: the command; it runs even if the file is up to date, because an earlier run may have been interrupted
            between writing and reloading.

    Returns:
        Whether the file was written.

    Raises:
        KeyFileError: the key cannot be read, the file cannot be written, or the command fails.
    """
    changed = write_include(read_key(file), out)
    if reload:
        try:
            result = subprocess.run(shlex.split(reload), capture_output=True, text=True)
        except OSError as error:
            raise KeyFileError(f"--reload {reload!r} cannot be run: {error.strerror}") from None
        if result.returncode:
            last = (result.stderr or result.stdout).strip().splitlines()[-1:] or ["it printed nothing"]
            raise KeyFileError(f"--reload {reload!r} failed with status {result.returncode}: {last[0]}")
    return changed


def watch(file: Path, out: Path, reload: str | None = None) -> None:
    """Call `update_proxy_key` whenever TorchServe has written a new key, again after an error; until interrupted."""
    handed = None
    while True:
        try:
            key = _written_key(file)
            if key not in (None, handed):
                update_proxy_key(file, out, reload)
                handed = key
                print(f"{out}: key of {time.strftime('%Y-%m-%d %H:%M:%S')}", flush=True)
        except KeyFileError as error:
            print(f"error: {error}; trying again in {RETRY:.0f} s", file=sys.stderr, flush=True)
            time.sleep(RETRY)
        time.sleep(POLL)


def _written_key(file: Path) -> str | None:
    """The key, or None while TorchServe has not written the file, or not all of it. Raises KeyFileError later on."""
    try:
        return read_key(file)
    except KeyFileError:
        try:
            settled = time.time() - file.stat().st_mtime > SETTLED
        except OSError:
            return None
        if settled:
            raise
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a key, or hand it to nginx; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.keys", description="TorchServe's keys: print one, or hand it to nginx."
    )
    parser.add_argument(
        "--file", type=Path, default=Path(KEY_FILE), help="TorchServe's key file (default: ./%(default)s)"
    )
    parser.add_argument("--role", choices=ROLES, default="inference", help="key to print (default: %(default)s)")
    parser.add_argument(
        "--nginx", type=Path, metavar="FILE", help="file to write the inference key to, for nginx to include"
    )
    parser.add_argument(
        "--reload",
        metavar="COMMAND",
        help="command to run after FILE is written or found up to date, such as 'nginx -s reload'",
    )
    parser.add_argument(
        "--watch", action="store_true", help="keep running, and update FILE after every start of TorchServe"
    )
    options = parser.parse_args(arguments)
    if not options.nginx and (options.reload or options.watch):
        parser.error("--reload and --watch need --nginx FILE")
    if options.nginx and options.role != "inference":
        parser.error("--nginx writes the inference key only; leave --role out")
    with one_line_errors():
        if options.watch:
            watch(options.file, options.nginx, options.reload)
        elif options.nginx:
            changed = update_proxy_key(options.file, options.nginx, options.reload)
            print(f"{options.nginx}: {'written' if changed else 'up to date'}")
        else:
            print(read_key(options.file, options.role))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
