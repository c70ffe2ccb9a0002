"""Errors that the user can fix, reported as one line and an exit status."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class FashionError(Exception):
    """Base class of all errors that the user can fix.

    The message is one line: the value, what was expected, what to do.
    """

    def _render_traceback_(self) -> list[str]:
        """IPython hook: the lines that notebooks show instead of a traceback."""
        return [f"error: {one_line(self)}"]


class InvalidImage(FashionError):
    """An image that cannot be used: not an image, broken, too small or too large."""


class DataError(FashionError):
    """A data set, a catalog or a file of labels that cannot be used."""


class BundleError(FashionError):
    """A bundle, checkpoint or model card that is missing, modified or does not match."""


class SettingError(FashionError):
    """An invalid value of a flag or an option."""


EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130  # the shell convention for SIGINT
EXIT_BROKEN_PIPE = 141  # the shell convention for SIGPIPE


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Context manager for a command's `main`: report errors that the user can fix as one line on stderr, and exit.

    The status is 2 for `FashionError`, a full disk or an unusable path, 130 for ctrl-C and 141 for a closed pipe. All
    other errors pass through.
    """
    try:
        yield
    except FashionError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        raise SystemExit(EXIT_USER_ERROR) from None
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the flush at exit would fail too
        raise SystemExit(EXIT_BROKEN_PIPE) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            where = f" while writing {error.filename}" if error.filename else ""
            message = f"no space left on the disk{where}; free some and run the same command again"
        elif error.filename:  # such as no permission, or a file where a folder is needed
            path = error.filename2 or error.filename  # of a rename the user knows the target, not the temporary file
            message = f"{path}: {error.strerror}; choose another path, or change that one"
        else:
            raise
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(EXIT_USER_ERROR) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(EXIT_INTERRUPTED) from None


def one_line(error: BaseException) -> str:
    """An error's message with line breaks and repeated whitespace replaced by single spaces."""
    return " ".join(str(error).split())
