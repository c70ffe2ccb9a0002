#!/usr/bin/env bash
# TorchServe: of several form parts with one name, the worker silently passes on only the last.
#
# Versions: torchserve 0.12.0, torch 2.15.0, Python 3.11.
# Behavior: the frontend passes on every part (`curl -F image=@front.jpg -F image=@back.jpg` is the usual form for several files
#   of one field). Before the handler is called, Service.retrieve_data_for_inference puts the parts of a request into a dict
#   by name, so each part overwrites the previous one. The handler cannot detect this.
# Output: parts sent: image, image, note   handed on: image (back), note
# Expected: all parts, as a list or under numbered names; or status 400.
# Exits non-zero if the behavior has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torchserve==0.12.0 torch==2.15.0 pyyaml==6.0.3 numpy==2.4.6
cd "$folder"
cat >ask.py <<'PYTHON'
from ts.service import Service

sent = [("image", b"front"), ("image", b"back"), ("note", b"two views")]
request = {
    "requestId": b"1",
    "headers": [],
    "parameters": [{"name": name, "contentType": "image/jpeg", "value": value} for name, value in sent],
}
handed_on = Service.retrieve_data_for_inference([request])[1][0]
print(f"parts sent: {', '.join(name for name, _ in sent)}   handed on: image ({handed_on['image'].decode()}), note")
raise SystemExit(handed_on != {"image": b"back", "note": b"two views"})
PYTHON
"$folder/venv/bin/python" ask.py 2>/dev/null
