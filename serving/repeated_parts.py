"""Keep and number form parts with the same name, as in `curl -F image=@a.jpg -F image=@b.jpg`."""

import re
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

_NUMBERED = re.compile(r"(.*)#[0-9]+", re.DOTALL)


def number_repeated(names: Iterable[str]) -> list[str]:
    """The names, in order, with repeated ones numbered: the second is `NAME#2`, the third `NAME#3`."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


def without_number(name: str) -> str:
    """A part's name without the number added by `number_repeated`."""
    found = _NUMBERED.fullmatch(name)
    return found[1] if found else name


def keep_repeated_parts() -> None:
    """Patch TorchServe's worker to number form parts with the same name, of which it would keep only the last.

    TorchServe's frontend passes on all parts, but `ts.service.Service.retrieve_data_for_inference` puts them into a
    dict. Only a worker has that module loaded; in any other process this does nothing.
    """
    module = sys.modules.get("ts.service")
    if module is None:
        return
    Service = module.Service
    retrieve = Service.retrieve_data_for_inference
    if getattr(retrieve, "numbers_parts", False):
        return

    def retrieve_numbered(batch: Any) -> Any:
        for request in batch or ():
            parameters = request["parameters"]
            for parameter, name in zip(parameters, number_repeated(each["name"] for each in parameters), strict=True):
                parameter["name"] = name
        return retrieve(batch)

    retrieve_numbered.numbers_parts = True  # type: ignore[attr-defined]
    Service.retrieve_data_for_inference = staticmethod(retrieve_numbered)
