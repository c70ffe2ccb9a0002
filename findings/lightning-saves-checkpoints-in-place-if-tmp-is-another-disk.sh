#!/usr/bin/env bash
# pytorch-lightning with fsspec: a checkpoint is copied onto the former one, not renamed, if the temporary folder is another file
# system.
#
# Versions: pytorch-lightning 2.6.6, fsspec 2026.9.0, torch 2.15.0, numpy 2.4.6, Python 3.11, Linux with /dev/shm.
# Behavior: trainer.save_checkpoint writes through an fsspec transaction "to avoid file corruption if the save gets interrupted".
#   fsspec writes the new file in the temporary folder and moves it with shutil.move, which between two file systems copies the
#   bytes into the file that is there. The former checkpoint is gone when the copy begins: whatever ends the process then (a second
#   ctrl-C, a batch system, a full disk) leaves a truncated file and nothing else. Clusters often have /tmp in memory or on a small
#   disk of its own, which must also hold a whole checkpoint.
# Output: temporary folder on the same file system: renamed
#         temporary folder on another file system: in place
# Expected: the new checkpoint is written beside the former one and renamed over it, whatever the temporary folder is.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d)
memory=$(mktemp -d /dev/shm/checkpoints.XXXXXX)
trap 'rm -rf "$folder" "$memory"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    pytorch-lightning==2.6.6 fsspec==2026.9.0 torch==2.15.0 numpy==2.4.6
cd "$folder"
cat >save_twice.py <<'PYTHON'
import os
import tempfile
from pathlib import Path

import torch
from pytorch_lightning import LightningModule, Trainer


class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, number):
        return self.layer(batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


file = Path("line.ckpt").resolve()
batches = torch.utils.data.DataLoader(torch.ones(4, 1))
trainer = Trainer(max_steps=1, accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False)
trainer.fit(Line(), batches)
trainer.save_checkpoint(file)
# A name of its own for the first checkpoint: a rename over line.ckpt leaves the file under it as it is.
first = file.with_name("first.ckpt")
os.link(file, first)
content = first.read_bytes()
with torch.no_grad():
    trainer.lightning_module.layer.weight += 1
trainer.save_checkpoint(file)
same = os.stat(tempfile.gettempdir()).st_dev == os.stat(file.parent).st_dev
print("the same" if same else "another", "file system:", "in place" if first.read_bytes() != content else "renamed")
PYTHON
mkdir here
seen=""
for place in "$folder/here" "$memory"; do
    rm -f ./*.ckpt
    printed=$(TMPDIR="$place" "$folder/venv/bin/python" save_twice.py 2>/dev/null | tail -1)
    echo "temporary folder on $printed"
    seen="$seen$printed; "
done
[ "$seen" = "the same file system: renamed; another file system: in place; " ]
