"""What TorchServe's log files say of a server that does not get ready, in one line."""

import re
from pathlib import Path

WORKER_DIED = "Backend worker process died"
MODEL_LINE = re.compile(r" MODEL_LOG - (.*)")
SERVER_LINE = re.compile(r"\[(?:ERROR|WARN) ?\] \S+ (\S+ - .*)")
# The line that ends a traceback: the name of an exception class, perhaps with its modules, and a message.
EXCEPTION = re.compile(r"(?P<module>(?:[a-z_]\w*\.)*)(?P<name>[A-Z]\w*)(?:: (?P<message>.*))?$")


class ServerLog:
    """The log files of one server. They grow over many starts; only what came after `mark` is read.

    Args:
        folder: where TorchServe writes them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder / "model_log.log"  # what the workers print
        self.server = folder / "ts_log.log"  # what the Java process logs
        self.console = folder / "console.log"  # what the Java process prints, such as that its options are wrong
        self._begin: dict[Path, int] = {}

    def mark(self) -> None:
        """Leave out everything that was written up to now."""
        self._begin = {path: path.stat().st_size for path in (self.model, self.server) if path.exists()}

    def worker_died(self) -> bool:
        """Whether a worker ended by an exception."""
        return WORKER_DIED in self._read(self.model)

    def worker_failure(self) -> str:
        """The message of the exception that ended a worker last."""
        failure = "its worker ended without a message"
        for line in MODEL_LINE.findall(self._read(self.model)):
            if match := EXCEPTION.fullmatch(line):
                ours = match["module"].startswith("fashion.")  # written for the user: no need to say its class
                failure = match["message"] if ours and match["message"] else match[0]
        return failure

    def last_words(self) -> str:
        """The last complaint of the Java process, with the file it stands in."""
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
            # A file that is shorter than it was has been rolled over.
            file.seek(begin if begin <= path.stat().st_size else 0)
            return file.read().decode(errors="replace")
