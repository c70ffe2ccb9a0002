#!/usr/bin/env bash
# Ray: a cluster that ray.init() starts is killed when the thread that called ray.init() ends.
#
# Versions: Ray 2.60.0, psutil 7.2.2, Python 3.11, Linux.
# Behavior: ray.init("local") runs in a thread and returns. While that thread lives, Ray's two servers run. When it ends they are
#   killed, although the process goes on and ray.is_initialized() says True. Ray asks Linux to kill its servers with their parent, by
#   prctl(PR_SET_PDEATHSIG), whose parent is the thread that created the child, see prctl(2).
# Output: the thread lives:     gcs_server, raylet
#   the thread has ended: no server - ray.is_initialized(): True
# Expected: the cluster lives until ray.shutdown() or the end of the process.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d /tmp/ray-thread-XXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ray==2.60.0 psutil==7.2.2
cat > thread.py <<'PYTHON'
import os
import threading
import time

import psutil
import ray

NAMES = ("gcs_server", "raylet")


def servers() -> list[str]:
    """Names of Ray's servers among the processes that this one started."""
    children = psutil.Process().children(recursive=True)
    return sorted(p.name() for p in children if p.name() in NAMES and p.status() != psutil.STATUS_ZOMBIE)


end, started = threading.Event(), threading.Event()


def start() -> None:
    ray.init("local", num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    started.set()
    end.wait()


thread = threading.Thread(target=start)
thread.start()
started.wait()
time.sleep(5)
print("ray", ray.__version__)
print("the thread lives:    ", ", ".join(servers()) or "no server")
before = servers()
end.set()
thread.join()
time.sleep(3)
after = servers()
print("the thread has ended:", ", ".join(after) or "no server", "- ray.is_initialized():", ray.is_initialized(), flush=True)
os._exit(0 if before == list(NAMES) and not after else 1)
PYTHON
venv/bin/python thread.py
