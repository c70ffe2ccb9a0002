"""One TorchServe on this machine: started, waited for, found again and ended, without touching any other."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import requests

from serving.connection import open_session
from serving.keys import KEY_FILE, KeyFileError, authorization, read_key
from serving.ports import free_ports
from serving.processes import end_server, find_server, is_alive, temporary_folder_of
from serving.properties import GRPC_PORTS, PORTS, ServerError, check_ports, read_properties
from serving.server_log import ServerLog
from serving.temporary_folders import PID_FILE, TEMPORARY_PREFIX, remove_abandoned

DEFAULT_CONFIG = Path(__file__).with_name("config.properties")
HARDENED_CONFIG = Path(__file__).with_name("config.hardened.properties")
LOG_CONFIG = Path(__file__).with_name("log4j2.xml")
METRICS_CONFIG = Path(__file__).with_name("metrics.yaml")
SHORT_FOLDER = "/tmp"  # whatever $TMPDIR says: the path of a socket must be shorter than 108 characters

START_TIMEOUT = 300.0  # s; a large model on a slow disk
POLL = 0.2  # s
CLOCK_ERROR = 2.0  # s, of the time at which a process is said to have started


class TorchServe:
    """The server that a config file describes. As a context manager it is started, ready, and stopped in the end.

    Args:
        config: a TorchServe `config.properties`.
        logs: the folder for its logs.
        folder: where it runs; relative paths in the config start here. Default is the current folder.

    Raises:
        ServerError: the config cannot be read.
    """

    def __init__(self, config: Path = DEFAULT_CONFIG, logs: Path = Path("logs"), folder: Path | None = None) -> None:
        self.folder = (folder or Path.cwd()).resolve()
        self.config = Path(config).resolve()
        self.logs = (self.folder / logs).resolve()
        self.log = ServerLog(self.logs)
        self.log_config = LOG_CONFIG  # of log4j
        self._temporary: Path | None = None  # what `start` made for the server
        self.properties = read_properties(self.config)
        self.model_store = (self.folder / self.properties.get("model_store", "model_store")).resolve()
        self.inference_url = self.properties.get("inference_address", "http://127.0.0.1:8080")
        self.management_url = self.properties.get("management_address", "http://127.0.0.1:8081")
        self.metrics_url = self.properties.get("metrics_address", "http://127.0.0.1:8082")
        self.needs_token = self.properties.get("disable_token_authorization", "false").lower() != "true"
        self.key_file = self.folder / KEY_FILE  # where it needs a token

    @classmethod
    def temporary(
        cls, model_store: Path, folder: Path, config: Path = DEFAULT_CONFIG, **properties: str | int
    ) -> "TorchServe":
        """A server as a shipped config describes it but on free ports, with everything it writes in `folder`.

        Args:
            model_store: whose archives it serves.
            folder: for its config, keys and logs; made where it is missing.
            config: the shipped config.
            properties: further lines of its config.properties.
        """
        folder = Path(folder).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        ports = free_ports(len(PORTS) + len(GRPC_PORTS) + 1)
        lines: dict[str, str | int] = dict(read_properties(config))
        lines.update({name: f"http://127.0.0.1:{ports.pop()}" for name in PORTS})
        lines.update({name: ports.pop() for name in GRPC_PORTS})
        lines.update(initial_worker_port=ports.pop(), model_store=str(Path(model_store).resolve()))
        lines.update(metrics_config=str(METRICS_CONFIG))
        lines.update(properties)
        own = folder / "config.properties"
        own.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), encoding="utf-8")
        return cls(own, folder / "logs", folder)

    def archives(self) -> list[str]:
        """File names of the archives it serves: those that the config names, or all of the model store.

        Raises:
            ServerError: there is none, or one is broken.
        """
        wanted = self.properties.get("load_models", "all")
        present = sorted(path.name for path in self.model_store.glob("*.mar"))
        names = present if wanted == "all" else [entry.split("=")[-1].strip() for entry in wanted.split(",")]
        missing = [name for name in names if name not in present]
        if missing or not names:
            what = f"{missing[0]}" if missing else "model"
            raise ServerError(f"no {what} in the model store {str(self.model_store)!r}; make one with: make archive")
        for name in names:
            if not zipfile.is_zipfile(self.model_store / name):
                raise ServerError(
                    f"{self.model_store / name} is broken, not a model archive; make it again: make archive"
                )
        return names

    def find(self) -> psutil.Process | None:
        """The Java process of this server, whoever started it, or None where it is not running."""
        return find_server(self.config, self.model_store)

    def is_stale(self, process: psutil.Process) -> bool:
        """Whether an archive was written after the server had started, so that it still serves the one before."""
        started = process.create_time() + CLOCK_ERROR
        return any((self.model_store / name).stat().st_mtime > started for name in self.archives())

    @contextmanager
    def only_starter(self) -> Iterator[None]:
        """Let no other process start a server with this config meanwhile; wait for one that is at it."""
        with self.config.open("rb") as config:
            fcntl.flock(config, fcntl.LOCK_EX)
            yield

    def start(self) -> psutil.Process:
        """Start the server in the background; it is not ready yet.

        Temporary folders of servers that were killed are removed.

        Raises:
            ServerError: no Java, no archive, or a port that is taken.
        """
        self.archives()
        environment = _environment()
        if not shutil.which("java", path=environment["PATH"]) and "JAVA_HOME" not in environment:
            raise ServerError("no java on the PATH and none beside python; set it up with: make setup")
        check_ports(self.properties, self.config)
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            return self._launch(environment)
        except BaseException:
            self.stop()
            raise

    def _launch(self, environment: dict[str, str]) -> psutil.Process:
        # Its own temporary folder: TorchServe keeps its process id and sockets there under fixed names.
        short = SHORT_FOLDER if os.access(SHORT_FOLDER, os.W_OK | os.X_OK) else None
        self._temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=short))
        remove_abandoned(self._temporary.parent)
        environment |= {"TMPDIR": str(self._temporary), "TEMP": str(self._temporary)}
        environment |= {"LOG_LOCATION": str(self.logs), "METRICS_LOCATION": str(self.logs)}
        command = [sys.executable, "-m", "ts.model_server", "--start", "--ncs", "--ts-config", str(self.config)]
        command += ["--model-store", str(self.model_store), "--log-config", str(self.log_config)]
        self.log.mark()
        with self.log.console.open("wb") as console:
            # A session of its own, so that ctrl-C in the terminal does not reach it.
            subprocess.run(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            return psutil.Process(int((self._temporary / PID_FILE).read_text()))
        except (OSError, ValueError, psutil.Error):
            raise ServerError(f"TorchServe did not start: {self.log.last_words()}") from None

    def wait(
        self, process: psutil.Process, timeout: float = START_TIMEOUT, tick: Callable[[], None] = lambda: None
    ) -> None:
        """Wait until every model is ready to answer.

        Args:
            process: what `start` or `find` returned.
            timeout: seconds.
            tick: called several times a second, to show that it goes on.

        Raises:
            ServerError: the server or a worker ended, an archive could not be loaded, or the time is over.
        """
        if self._temporary is None:
            self.log.mark()  # it was started elsewhere: what its log says of earlier starts does not count
            self.key_file = _folder_of(process, self.folder) / KEY_FILE
        end = time.monotonic() + timeout
        while not self._is_ready():
            if not is_alive(process):
                raise ServerError(f"TorchServe ended before it was ready: {self.log.last_words()}")
            if self.log.worker_died():
                time.sleep(3 * POLL)  # its traceback is still being written
                raise ServerError(f"the model does not load: {self.log.worker_failure()} (in {self.log.model})")
            if time.monotonic() > end:
                raise ServerError(f"TorchServe was not ready after {timeout:.0f} s; see {self.log.server}")
            tick()
            time.sleep(POLL)

    def stop(self) -> bool:
        """End the server and its workers; whether it was running. Other servers on the machine go on."""
        process = self.find()
        if process:
            self._temporary = self._temporary or temporary_folder_of(process)
            end_server(process)
        if self._temporary and self._temporary.name.startswith(TEMPORARY_PREFIX):
            shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary = None
        return process is not None

    def __enter__(self) -> "TorchServe":
        process = self.start()  # which ends what it has started, and nothing else, where it fails
        try:
            self.wait(process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def url(self, model: str = "fashion") -> str:
        """Where a photograph is sent to."""
        return f"{self.inference_url}/predictions/{model}"

    def models(self) -> list[dict[str, Any]]:
        """What the management API tells of each version of each model.

        Raises:
            requests.RequestException: it does not answer, or not with this key.
            KeyFileError: it needs a key, and has written none.
        """
        names = [entry["modelName"] for entry in self._ask("/models?limit=1000")["models"]]
        return [version for name in names for version in self._ask(f"/models/{name}/all")]

    def _ask(self, path: str) -> Any:
        headers = authorization(read_key(self.key_file, "management")) if self.needs_token else {}
        with open_session(self.management_url) as session:
            response = session.get(self.management_url + path, headers=headers, timeout=10)
        response.raise_for_status()
        return response.json()

    def _is_ready(self) -> bool:
        try:
            models = self.models()
        except (requests.RequestException, KeyFileError):  # the key of the start before, until it writes its own
            return False
        # Models are registered before the management API answers, so one that is not there will not come.
        lost = set(self.archives()) - {model["modelUrl"] for model in models}
        if lost:
            raise ServerError(
                f"TorchServe cannot read {min(lost)}: {self.log.last_words()}; make the archive again: make archive"
            )
        return all(
            model["workers"] and all(worker["status"] == "READY" for worker in model["workers"]) for model in models
        )


def _folder_of(process: psutil.Process, otherwise: Path) -> Path:
    try:
        return Path(process.cwd())
    except psutil.Error:
        return otherwise


def _environment() -> dict[str, str]:
    """The environment with python's own folder, where `make setup` puts a java, first on the PATH."""
    environment = dict(os.environ)
    beside = Path(sys.executable).parent
    environment["PATH"] = f"{beside}{os.pathsep}{environment.get('PATH', '')}"
    if (beside / "java").exists():
        environment.pop("JAVA_HOME", None)
    environment.pop("TS_CONFIG_FILE", None)  # it would win over the config asked for
    return environment
