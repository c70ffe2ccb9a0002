"""Start, wait for and stop this project's TorchServe.

From the command line:  python -m serving.server start|wait|stop [--config serving/config.properties]
"""

import argparse
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from tqdm import tqdm

from fashion.errors import one_line_errors
from serving.keys import KEY_FILE
from serving.torchserve import DEFAULT_CONFIG, START_TIMEOUT, ServerError, TorchServe


def start(server: TorchServe, timeout: float = START_TIMEOUT) -> None:
    """Start the server, unless it is running, and wait until it is ready; if that fails, stop what was started.

    Raises:
        ServerError: it cannot be started or does not become ready.
    """
    with server.start_lock():  # of two concurrent starts, the second finds the server of the first
        running = server.find()
        if running and server.is_stale(running):
            print("the model archive is newer than the running server: restarting it")
            server.stop()
            running = None
        process = running or server.start()
    if running:
        print(f"already running as process {running.pid}", flush=True)
    try:
        seconds = _wait(server, process, timeout)
    except BaseException:
        if not running:
            server.stop()
        raise
    _print_ready(server, seconds)  # outside of `try`: a closed output pipe, such as `head`, must not stop the server


def wait(server: TorchServe, timeout: float = START_TIMEOUT) -> None:
    """Wait until the running server is ready.

    Raises:
        ServerError: no server is running, or it does not become ready.
    """
    running = server.find()
    if running is None:
        raise ServerError(f"no TorchServe with {server.config} is running; start it with: make serve")
    _print_ready(server, _wait(server, running, timeout))


def stop(server: TorchServe) -> None:
    """Stop the server; print whether it was running."""
    print("stopped" if server.stop() else f"no TorchServe with {server.config} is running")


def _wait(server: TorchServe, process: psutil.Process, timeout: float) -> float:
    """Wait until the server is ready; return the seconds it took."""
    names = ", ".join(server.archives())
    begin = time.monotonic()
    with tqdm(desc=f"TorchServe loads {names}", bar_format="{desc} {elapsed}", leave=False, disable=None) as progress:
        server.wait(process, timeout, progress.refresh)
    return time.monotonic() - begin


def _print_ready(server: TorchServe, seconds: float) -> None:
    print(f"ready after {seconds:.1f} s; logs in {server.logs}")
    token = f' -H "Authorization: Bearer $({_print_key(server)})"' if server.needs_token else ""
    for model in server.models():
        print(f"  curl{token} {server.url(model['modelName'])} -T photo.jpg")


def _print_key(server: TorchServe) -> str:
    here = server.key_file == Path.cwd() / KEY_FILE
    return "python -m serving.keys" + ("" if here else f" --file {shlex.quote(str(server.key_file))}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.server", description="Start, wait for and stop TorchServe."
    )
    parser.add_argument("command", choices=("start", "wait", "stop"))
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="configuration (default: %(default)s)")
    parser.add_argument("--logs", type=Path, default=Path("logs"), help="folder for logs (default: %(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=START_TIMEOUT, help="seconds to wait for the model (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    with one_line_errors():
        server = TorchServe(options.config, options.logs)
        if options.command == "stop":
            stop(server)
        else:
            {"start": start, "wait": wait}[options.command](server, options.timeout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
