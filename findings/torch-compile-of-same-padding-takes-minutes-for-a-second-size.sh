#!/usr/bin/env bash
# torch.compile: three strided convolutions with TensorFlow's "same" padding take minutes to compile for a second image size.
#
# Versions: torch 2.15.0, timm 1.0.31, Python 3.11, CPU.
# Behavior: by default torch.compile compiles the first image size for that size alone, and at the second size once more, for
#   every size. timm's networks with TensorFlow's padding (`tf_efficientnet_lite0` has five such layers) compute it from the
#   size of each feature map, so sizes become divisions within divisions, and simplifying these takes nearly all of the time:
#   the third layer makes it ten times as long. Nothing is shown meanwhile, so a training that validates at another size than
#   it trains at seems to hang. With symmetric padding, or with dynamic=False, the second size takes about as long as the first.
# Output (2 cores, beside other work), seconds until the first result at 160 px and at 192 px:
#   symmetric padding, 3 layers                    17.5     3.6
#   "same" padding, 3 layers, dynamic=False         2.0     4.5
#   "same" padding, 2 layers                        1.4    22.0
#   "same" padding, 3 layers                        0.3   242.2
# Expected: about the time of the symmetric padding, or a warning that compiling for all sizes is slow and dynamic=False is not.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 torchvision timm==1.0.31
export TORCHINDUCTOR_CACHE_DIR="$folder/compiled"
cd "$folder"
cat >measure.py <<'PYTHON'
import time

import timm
import torch
from timm.layers import create_conv2d
from torch import nn


def seconds(layers, padding, dynamic=None):
    """Until the first result at 160 px, and then at 192 px."""
    stages = []
    for number in range(layers):
        stages += [create_conv2d(16 if number else 3, 16, 3, stride=2, padding=padding), nn.ReLU()]
        stages += [nn.Conv2d(16, 16, 1), nn.ReLU()]
    torch._dynamo.reset()
    network = torch.compile(nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1)).eval(), dynamic=dynamic)
    times = []
    with torch.no_grad():
        for size in (160, 192):
            begun = time.perf_counter()
            network(torch.zeros(4, 3, size, size))
            times.append(time.perf_counter() - begun)
    return times


print(f"torch {torch.__version__}, timm {timm.__version__}")
cases = {
    "symmetric padding, 3 layers": (3, ""),
    '"same" padding, 3 layers, dynamic=False': (3, "same", False),
    '"same" padding, 2 layers': (2, "same"),
    '"same" padding, 3 layers': (3, "same"),
}
found = {}
for name, case in cases.items():
    found[name] = seconds(*case)
    print(f"{name:42s}", *(f"{each:8.1f}" for each in found[name]), flush=True)
symmetric, static, _, default = (each[1] for each in found.values())
if default < 10 * max(symmetric, static):
    raise SystemExit("the behavior has changed: the second size is compiled in reasonable time")
PYTHON
venv/bin/python measure.py
