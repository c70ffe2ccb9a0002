"""Control one TorchServe on this machine: start, wait, find and stop it, without affecting others."""

import fcntl
import hashlib
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
from serving.processes import end_server, find_server, is_alive
from serving.properties import GRPC_PORTS, PORTS, ServerError, check_ports, read_properties
from serving.server_log import ServerLog

DEFAULT_CONFIG = Path(__file__).with_name("config.properties")
HARDENED_CONFIG = Path(__file__).with_name("config.hardened.properties")
LOG_CONFIG = Path(__file__).with_name("log4j2.xml")
METRICS_CONFIG = Path(__file__).with_name("metrics.yaml")
PID_FILE = ".model_server.pid"  # written by TorchServe: the id of its Java process
SHORT_FOLDER = "/tmp"  # regardless of $TMPDIR: the path of a Unix socket must be shorter than 108 characters

START_TIMEOUT = 300.0  # s; enough for a large model on a slow disk
POLL = 0.2  # s
CLOCK_ERROR = 2.0  # s, inaccuracy of a process's start time


class TorchServe:
    """The server described by a config file. As a context manager, it is started, awaited and finally stopped.

    Args:
        config: a TorchServe `config.properties`.
        logs: the folder for its logs.
        folder: its working directory, for relative paths in the config. Default is the current folder.

    Raises:
        ServerError: the config cannot be read.
    """

    def __init__(self, config: Path = DEFAULT_CONFIG, logs: Path = Path("logs"), folder: Path | None = None) -> None:
        self.folder = (folder or Path.cwd()).resolve()
        self.config = Path(config).resolve()
        self.logs = (self.folder / logs).resolve()
        self.log = ServerLog(self.logs)
        self.log_config = LOG_CONFIG  # of log4j
        self._started = False  # by this object
        self.properties = read_properties(self.config)
        self.model_store = (self.folder / self.properties.get("model_store", "model_store")).resolve()
        self.inference_url = self.properties.get("inference_address", "http://127.0.0.1:8080")
        self.management_url = self.properties.get("management_address", "http://127.0.0.1:8081")
        self.metrics_url = self.properties.get("metrics_address", "http://127.0.0.1:8082")
        self.needs_token = self.properties.get("disable_token_authorization", "false").lower() != "true"
        self.key_file = self.folder / KEY_FILE  # exists only with token authorization

    @classmethod
    def temporary(
        cls, model_store: Path, folder: Path, config: Path = DEFAULT_CONFIG, **properties: str | int
    ) -> "TorchServe":
        """A server with a shipped config, but on free ports, and with all its files in `folder`.

        Args:
            model_store: the folder of archives to serve.
            folder: for its config, keys and logs; created if missing.
            config: the shipped config.
            properties: additional or changed properties.
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
        """File names of the archives to serve: those named in the config, or all in the model store.

        Raises:
            ServerError: an archive is missing or broken, or there is none.
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
                    f"{self.model_store / name} is not a valid model archive; make it again with: make archive"
                )
        return names

    def find(self) -> psutil.Process | None:
        """The Java process of this server, started by any program; None if it is not running."""
        return find_server(self.config, self.model_store)

    def is_stale(self, process: psutil.Process) -> bool:
        """Whether an archive was written after the server's start, so that the server uses an older one."""
        started = process.create_time() + CLOCK_ERROR
        return any((self.model_store / name).stat().st_mtime > started for name in self.archives())

    @property
    def temporary_folder(self) -> Path:
        """The server's own temporary folder: TorchServe writes process id and sockets there under fixed names."""
        parent = SHORT_FOLDER if os.access(SHORT_FOLDER, os.W_OK | os.X_OK) else tempfile.gettempdir()
        server = hashlib.sha256(f"{self.config}\n{self.model_store}".encode()).hexdigest()
        return Path(parent, f"fashion-torchserve-{os.getuid()}-{server[:16]}")

    @contextmanager
    def start_lock(self) -> Iterator[None]:
        """Context manager: lock the config file, so that only one process at a time starts a server with it."""
        with self.config.open("rb") as config:
            fcntl.flock(config, fcntl.LOCK_EX)
            yield

    def start(self) -> psutil.Process:
        """Start the server in the background; it is not ready yet.

        Raises:
            ServerError: Java or an archive is missing, a port is taken, or the temporary folder is somebody else's.
        """
        self.archives()
        environment = _environment()
        if not shutil.which("java", path=environment["PATH"]) and "JAVA_HOME" not in environment:
            raise ServerError("no java on the PATH or next to python; install it with: make setup")
        check_ports(self.properties, self.config)
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            return self._launch(environment)
        except BaseException:
            self.stop()
            raise

    def _launch(self, environment: dict[str, str]) -> psutil.Process:
        temporary = self._make_temporary_folder()
        self._started = True
        environment |= {"TMPDIR": str(temporary), "TEMP": str(temporary)}
        environment |= {"LOG_LOCATION": str(self.logs), "METRICS_LOCATION": str(self.logs)}
        command = [sys.executable, "-m", "ts.model_server", "--start", "--ncs", "--ts-config", str(self.config)]
        command += ["--model-store", str(self.model_store), "--log-config", str(self.log_config)]
        self.log.mark()
        with self.log.console.open("wb") as console:
            # A new session, so that ctrl-C in the terminal does not reach the server.
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
            return psutil.Process(int((temporary / PID_FILE).read_text()))
        except (OSError, ValueError, psutil.Error):
            raise ServerError(f"TorchServe did not start: {self.log.last_error()}") from None

    def _make_temporary_folder(self) -> Path:
        """Create the temporary folder, without the files of a server that was killed."""
        folder = self.temporary_folder
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:  # a link, or another user's: neither is removed
            raise ServerError(f"{folder} is a link or another user's; remove it") from None
        return folder

    def wait(
        self, process: psutil.Process, timeout: float = START_TIMEOUT, tick: Callable[[], None] = lambda: None
    ) -> None:
        """Wait until every model is ready to answer.

        Args:
            process: the result of `start` or `find`.
            timeout: seconds.
            tick: called several times a second, to show progress.

        Raises:
            ServerError: the server or a worker ended, an archive could not be loaded, or the timeout has passed.
        """
        if not self._started:
            self.log.mark()  # started by another process: ignore earlier entries in its log
            self.key_file = _folder_of(process, self.folder) / KEY_FILE
        end = time.monotonic() + timeout
        while not self._is_ready():
            if not is_alive(process):
                raise ServerError(f"TorchServe ended before it was ready: {self.log.last_error()}")
            if self.log.worker_died():
                time.sleep(3 * POLL)  # until its traceback is written completely
                raise ServerError(f"the model does not load: {self.log.worker_failure()} (in {self.log.model})")
            if time.monotonic() > end:
                raise ServerError(f"TorchServe was not ready after {timeout:.0f} s; see {self.log.server}")
            tick()
            time.sleep(POLL)

    def stop(self) -> bool:
        """Stop the server and its workers, and no other server; return whether it was running."""
        process = self.find()
        if process:
            end_server(process)
        if process or self._started:  # else another process may be starting it
            shutil.rmtree(self.temporary_folder, ignore_errors=True)
        self._started = False
        return process is not None

    def __enter__(self) -> "TorchServe":
        process = self.start()  # cleans up after itself if it fails
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
        """The URL to send photographs to."""
        return f"{self.inference_url}/predictions/{model}"

    def models(self) -> list[dict[str, Any]]:
        """The management API's description of each version of each model.

        Raises:
            requests.RequestException: it does not answer, or rejects the key.
            KeyFileError: it requires a key, but the key file is missing or incomplete.
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
        except (requests.RequestException, KeyFileError):  # until it writes new keys, the key file may be outdated
            return False
        # Models are registered before the management API answers, so a missing one has failed to load.
        lost = set(self.archives()) - {model["modelUrl"] for model in models}
        if lost:
            raise ServerError(
                f"TorchServe cannot read {min(lost)}: {self.log.last_error()}; make the archive again: make archive"
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
    """The environment with python's folder first on the PATH, because `make setup` installs java there."""
    environment = dict(os.environ)
    beside = Path(sys.executable).parent
    environment["PATH"] = f"{beside}{os.pathsep}{environment.get('PATH', '')}"
    if (beside / "java").exists():
        environment.pop("JAVA_HOME", None)
    environment.pop("TS_CONFIG_FILE", None)  # it would override --ts-config
    return environment
