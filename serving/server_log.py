"""Extract the reason from TorchServe's log files, in one line, if a server does not become ready."""

import re
from pathlib import Path

WORKER_DIED = "Backend worker process died"
MODEL_LINE = re.compile(r" MODEL_LOG - (.*)")
SERVER_LINE = re.compile(r"\[(?:ERROR|WARN) ?\] \S+ (\S+ - .*)")
# The last line of a traceback: the name of an exception class, optionally with its module, and a message.
EXCEPTION = re.compile(r"(?P<module>(?:[a-z_]\w*\.)*)(?P<name>[A-Z]\w*)(?:: (?P<message>.*))?$")


class ServerLog:
    """The log files of one server. They accumulate over restarts; only text written after `mark` is read.

    Args:
        folder: TorchServe's log folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder / "model_log.log"  # output of the workers
        self.server = folder / "ts_log.log"  # log of the Java process
        self.console = folder / "console.log"  # output of the Java process, such as errors in its options
        self._begin: dict[Path, int] = {}

    def mark(self) -> None:
        """Ignore everything written so far."""
        self._begin = {path: path.stat().st_size for path in (self.model, self.server) if path.exists()}

    def worker_died(self) -> bool:
        """Whether a worker process has died."""
        return WORKER_DIED in self._read(self.model)

    def worker_failure(self) -> str:
        """The message of the last exception that ended a worker."""
        failure = "its worker ended without a message"
        for line in MODEL_LINE.findall(self._read(self.model)):
            if match := EXCEPTION.fullmatch(line):
                ours = match["module"].startswith("fashion.")  # messages for users: omit the class
                failure = match["message"] if ours and match["message"] else match[0]
        return failure

    def last_error(self) -> str:
        """The last error or warning of the Java process, with its file."""
        printed = [line for line in self._read(self.console).splitlines() if line.strip()]
        for path, lines in ((self.server, SERVER_LINE.findall(self._read(self.server))), (self.console, printed)):
            if lines:
                return f"{lines[-1].strip()} (in {path})"
        return f"its logs in {self.folder} are empty"

    def _read(self, path: Path) -> str:
        if not path.exists():
            return ""
        begin = self._begin.get(path, 0)
        with path.open("rb") as file:
            # A file that is shorter than before has been rotated.
            file.seek(begin if begin <= path.stat().st_size else 0)
            return file.read().decode(errors="replace")
