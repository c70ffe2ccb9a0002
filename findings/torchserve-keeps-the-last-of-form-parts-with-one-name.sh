#!/usr/bin/env bash
# TorchServe: of several form parts that have one name its worker hands on the last, and does not say so.
#
# Versions: torchserve 0.12.0, torch 2.15.0, Python 3.11.
# Behavior: the frontend hands on every part (`curl -F image=@front.jpg -F image=@back.jpg` is how forms name several files of
#   one field). Before the handler is called, Service.retrieve_data_for_inference puts the parts of a request into a dict
#   by their names, so that each takes the place of the one before it. The handler cannot know that there were others.
# Output seen: parts sent: image, image, note   handed on: image (back), note
# Expected: all parts, as a list or under numbered names; or status 400.
# Exits non-zero where that has changed.
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
