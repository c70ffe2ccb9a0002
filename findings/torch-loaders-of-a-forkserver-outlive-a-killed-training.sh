#!/usr/bin/env bash
# torch: the worker processes of a DataLoader outlive a killed training if they were started by a forkserver.
#
# Versions: torch 2.15.0, numpy 2.4.6, Python 3.11 (multiprocessing_context="forkserver"; from Python 3.14 on that is the default
#   on Linux).
# Behavior: a process with a DataLoader of two workers ends by SIGKILL, as by the kernel's out-of-memory killer. Forked and spawned
#   workers end within seconds, because each compares its parent's id with the id at its start. The parent of a worker started
#   by a forkserver is the forkserver, which lives as long as its workers, so all three wait forever and keep their memory.
# Output: 20 s after the training was killed: fork 0 of 2 workers run   spawn 0 of 2   forkserver 2 of 2
# Expected: no worker survives, with any start method. A thread in the worker could wait in
#   multiprocessing.parent_process().join().
# Exits non-zero if the behavior has changed. Kills the remaining workers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
cat >training.py <<'PYTHON'
import os
import signal
import sys
import time

from torch.utils.data import DataLoader, Dataset


class ProcessIds(Dataset):
    def __len__(self):
        return 10_000

    def __getitem__(self, index):
        time.sleep(0.01)
        return os.getpid()


if __name__ == "__main__":
    loading = iter(DataLoader(ProcessIds(), batch_size=4, num_workers=2, multiprocessing_context=sys.argv[1]))
    workers = {int(process) for _ in range(6) for process in next(loading)}
    print(*workers, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
PYTHON
seen=""
for method in fork spawn forkserver; do
    "$folder/venv/bin/python" training.py "$method" >workers 2>/dev/null || true
    read -r -a workers <workers
    sleep 20
    running=0
    for worker in "${workers[@]}"; do
        if grep -q '^State:[[:space:]]*[RSD]' "/proc/$worker/status" 2>/dev/null; then
            running=$((running + 1))
            kill -9 "$worker"
        fi
    done
    seen="$seen$method $running of ${#workers[@]}   "
done
echo "20 s after the training was killed, workers that run: $seen"
[ "$seen" = "fork 0 of 2   spawn 0 of 2   forkserver 2 of 2   " ]
