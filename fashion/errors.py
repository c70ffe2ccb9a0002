"""The errors a user can cause and mend: one line each, and an exit status."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class FashionError(Exception):
    """Base of all errors that are the user's to fix.

    The message is one line: the value, what was expected, what to do.
    """

    def _render_traceback_(self) -> list[str]:
        """What notebooks show instead of a traceback (IPython asks exceptions for it)."""
        return [f"error: {one_line(self)}"]


class InvalidImage(FashionError):
    """An image that cannot be used: not an image, broken, too small or too large."""


class DataError(FashionError):
    """A data set, a catalog or a file of labels that cannot be used."""


class BundleError(FashionError):
    """A bundle, checkpoint or model card that is missing, changed or does not fit."""


class SettingError(FashionError):
    """The value of a flag or an option that cannot be used."""


EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130  # what shells use for a process ended by SIGINT
EXIT_BROKEN_PIPE = 141  # and by SIGPIPE


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the errors a user can mend into one line on stderr and an exit status; let the others through.

    `FashionError`, a full disk and a path that cannot be used exit with 2, ctrl-C with 130, a closed pipe with 141.
    Wrap the body of a command line's `main` in it.
    """
    try:
        yield
    except FashionError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        raise SystemExit(EXIT_USER_ERROR) from None
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter's last flush fails too
        raise SystemExit(EXIT_BROKEN_PIPE) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            where = f" while writing {error.filename}" if error.filename else ""
            message = f"no space left on the disk{where}; free some and run the same command again"
        elif error.filename:  # no permission, a file where a folder is needed and the like
            message = f"{error.filename}: {error.strerror}; choose another path, or change that one"
        else:
            raise
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(EXIT_USER_ERROR) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(EXIT_INTERRUPTED) from None


def one_line(error: BaseException) -> str:
    """The message of an error with its line breaks folded into spaces."""
    return " ".join(str(error).split())
