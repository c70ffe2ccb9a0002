"""Ask a running server for the attributes of photographs.

From the command line:  python -m serving.client photo.jpg [more.jpg ...] [--json]
"""

import argparse
import io
import json
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
import urllib3

from fashion.answers import missed_labels, remarks
from fashion.errors import EXIT_USER_ERROR, FashionError, one_line, one_line_errors
from fashion.options import add_flags, flag_values
from fashion.pictures.tiles import picture_format
from serving.connection import open_session
from serving.evidence_sheet import write_evidence_sheet
from serving.keys import KEY_FILE, authorization, read_token
from serving.request_parsing import header_name

DEFAULT_URL = "http://127.0.0.1:8080/predictions/fashion"
TIMEOUT = 60.0  # s, for an answer; long, because a busy server queues requests
CONNECT_TIMEOUT = 5.0  # s
WRONG_TOKEN = "InvalidKeyException"  # TorchServe's error type for a wrong or missing token
FLAGS = ("profile", "caution", "top_k", "groups", "applies", "product")  # answer options available as flags
BAR_WIDTH = 20  # characters for a probability of 1


class ServerUnreachable(FashionError):
    """The server cannot be reached; further photographs would fail too."""


class Refused(FashionError):
    """The request for one photograph failed; the message is usually the server's."""


class Client:
    """A client with a persistent connection to a server.

    Args:
        url: the URL that photographs are sent to.
        timeout: seconds to wait for an answer.
        token: authorization token, for a server that requires one.
    """

    def __init__(self, url: str = DEFAULT_URL, timeout: float = TIMEOUT, token: str | None = None) -> None:
        self.url = url
        self._timeout = (min(CONNECT_TIMEOUT, timeout), timeout)
        self._session = open_session(url)
        if token is not None:
            self._session.headers.update(authorization(token))

    def ask(self, photo: bytes | Path, **options: str) -> dict[str, Any]:
        """Request the answer for one photograph, see `fashion.answers.make_answer`.

        Args:
            photo: the bytes of an image file, or its path.
            options: what to answer, see `fashion.options.AnswerOptions`; such as `top_k="3"`.

        Raises:
            Refused: the file cannot be read, or the server answers with an error.
            ServerUnreachable: the server cannot be reached, does not answer in time or rejects the token.
        """
        data = photo if isinstance(photo, bytes) else _read(photo)
        return self._answer(len(data), options, data=data, headers={"Content-Type": b"application/octet-stream"})

    def ask_product(self, photos: Sequence[bytes | Path], **options: str) -> dict[str, Any]:
        """Request one answer for all photographs of a product; its `photographs` gives the number used.

        Args:
            photos: the bytes of image files, or their paths.
            options: see `ask`.

        Raises:
            Refused, ServerUnreachable: see `ask`.
        """
        read = [photo if isinstance(photo, bytes) else _read(photo, f"{photo} ") for photo in photos]
        files = [("image", (f"{number}", data, "application/octet-stream")) for number, data in enumerate(read, 1)]
        return self._answer(sum(map(len, read)), options | {"product": "true"}, files=files, headers={})

    def _answer(self, size: int, options: Mapping[str, str], **request: Any) -> dict[str, Any]:
        """Send a request of `size` bytes and check the answer. Raises the errors of `ask`."""
        request["headers"] |= {header_name(option): value.encode() for option, value in options.items()}
        response = self._send(size, **request)
        if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # TorchServe sends no JSON with it
            raise Refused(f"{size / 1e6:.1f} MB are more than the server accepts; send a smaller file")
        try:
            answer = response.json()
        except requests.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise Refused(f"{self.url} answered {response.status_code} without JSON; is it the right URL?")
        if answer.get("type") == WRONG_TOKEN:
            raise ServerUnreachable(f"{self.url} needs a valid token; give it with: --token @{KEY_FILE}")
        if not response.ok:
            raise Refused(f"{_message(answer)} (status {response.status_code})")
        if not isinstance(answer.get("attributes"), list):
            raise Refused(f"{self.url} answered {response.status_code} without attributes; is it the right URL?")
        return answer

    def _send(self, size: int, **request: Any) -> requests.Response:
        try:
            return self._session.post(self.url, timeout=self._timeout, **request)
        except requests.ConnectTimeout:
            raise ServerUnreachable(f"no connection to {self.url} within {self._timeout[0]:g} s") from None
        except requests.Timeout:
            raise ServerUnreachable(f"no answer from {self.url} within {self._timeout[1]:g} s; set --timeout") from None
        except requests.ConnectionError as error:
            if _was_cut_off(error):
                raise Refused(f"{self.url} closed the connection before it answered {size / 1e6:.1f} MB") from None
            raise ServerUnreachable(f"nothing answers at {self.url}; start the server with: make serve") from None
        except (requests.RequestException, ValueError) as error:  # such as an invalid URL
            raise ServerUnreachable(f"{self.url} cannot be reached: {one_line(error)}") from None


def table(answer: Mapping[str, Any], truth: Mapping[str, list[str] | None] | None = None) -> str:
    """Format an answer as aligned lines of group, name, bar and percentage; a group's name is on its first line only.

    With `truth`, the true names by group (None: not annotated), each line is marked right or wrong, and missed names
    are listed. Extra lines report that no product was recognized, or that a group does not apply.
    """
    attributes = answer["attributes"]
    groups = max((len(attribute["group"]) for attribute in attributes), default=0)
    names = max((len(attribute["name"]) for attribute in attributes), default=0)
    said = remarks(answer)
    lines = [] if attributes or said else ["  no attribute reaches its threshold"]
    before = None
    for attribute in attributes:
        group = attribute["group"] if attribute["group"] != before else ""
        before = attribute["group"]
        probability = attribute["probability"]
        bar = "█" * round(BAR_WIDTH * probability)
        mark = "" if truth is None else f"   {_mark(attribute, truth)}"
        lines.append(f"  {group:<{groups}}  {attribute['name']:<{names}}  {bar:<{BAR_WIDTH}}  {probability:4.0%}{mark}")
    lines += [f"  {remark}" for remark in said]
    return "\n".join(lines + ([] if truth is None else _missed(attributes, truth)))


def _mark(attribute: Mapping[str, Any], truth: Mapping[str, list[str] | None]) -> str:
    names = truth.get(attribute["group"])
    if names is None:
        return "not annotated"
    return "right" if attribute["name"] in names else "wrong"


def _missed(attributes: list[Mapping[str, Any]], truth: Mapping[str, list[str] | None]) -> list[str]:
    missed = [f"{label.group}: {label.name}" for label in missed_labels(attributes, truth)]
    return [f"  missed  {', '.join(missed)}"] if missed else []


def _truth(path: Path) -> dict[str, list[str] | None]:
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))["labels"]
    except OSError as error:
        raise FashionError(f"--truth {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError):
        labels = None
    if not isinstance(labels, dict) or not all(names is None or isinstance(names, list) for names in labels.values()):
        raise FashionError(f'--truth {path} must be JSON like {{"labels": {{"color": ["Black"]}}}}')
    return labels


def _read(path: Path, named: str = "") -> bytes:
    """Read a file; `named` is the start of the error message."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Refused(f"{named}cannot be read: {error.strerror or error}") from None


def _was_cut_off(error: requests.ConnectionError) -> bool:
    """Whether an established connection broke off, as opposed to a failure to connect."""
    return bool(error.args) and isinstance(error.args[0], urllib3.exceptions.ProtocolError)


def _message(answer: Mapping[str, Any]) -> str:
    """The message of an error: `{"error": {"message": ...}}` in this project, `{"message": ...}` in TorchServe."""
    error = answer.get("error", answer)
    return str(error.get("message", error) if isinstance(error, dict) else error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the server's answer for each photograph; return the exit status, 2 if any request failed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    wanted = flag_values(options, FLAGS)
    if options.explain:
        wanted["explain"] = "covered"
        if len(options.photos) > 1:
            parser.error("--explain takes one photograph at a time")
    if options.product and options.explain:
        parser.error("--explain shows the evidence in one photograph; leave --product out")
    if options.truth and options.json:
        parser.error("--truth marks the lines of the table; leave --json out")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may contain invalid UTF-8
    status = 0
    with one_line_errors():
        if options.explain:
            picture_format(options.explain, "--explain")  # raises before the server computes anything
        truth = _truth(options.truth) if options.truth else None
        token = read_token(options.token) if options.token is not None else None
        client = Client(options.url, options.timeout, token)
        asked: list[list[Path]] = [options.photos] if options.product else [[photo] for photo in options.photos]
        for photos in asked:
            photo = ", ".join(map(str, photos)) if options.product else photos[0]
            try:
                answer = client.ask_product(photos, **wanted) if options.product else client.ask(photos[0], **wanted)
            except Refused as error:
                print(f"error: {photo}: {one_line(error)}", file=sys.stderr)
                status = EXIT_USER_ERROR
                continue
            if options.json:
                print(json.dumps({"image": str(photo)} | answer, ensure_ascii=False), flush=True)
            else:
                print(f"{photo}\n{table(answer, truth)}", flush=True)
            if options.explain:
                written = write_evidence_sheet(photos[0], answer, options.explain)
                print(f"{written}: where the evidence lies", file=sys.stderr)
            for left_out in answer.get("photographs", {}).get("left_out", ()):
                place = photos[left_out["number"] - 1]
                print(f"note   {place}: left out: {_message(left_out)}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.client", description="Ask a running server for the attributes of photographs."
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="photo", help="image files")
    parser.add_argument("--url", default=DEFAULT_URL, help="URL of the model (default: %(default)s)")
    parser.add_argument(
        "--token",
        metavar="TOKEN",
        help=f"if the server requires one: the token, or @FILE that contains it, such as TorchServe's @{KEY_FILE}",
    )
    parser.add_argument("--json", action="store_true", help="print the server's JSON, one object per line")
    parser.add_argument(
        "--timeout", type=float, default=TIMEOUT, help="seconds to wait for an answer (default: %(default)s)"
    )
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="FILE",
        help='true labels to mark the table with, JSON {"labels": {group: [name]}}',
    )
    add_flags(parser, FLAGS)
    parser.add_argument(
        "--explain", type=Path, metavar="FILE", help="write a picture of where the evidence for each attribute lies"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
