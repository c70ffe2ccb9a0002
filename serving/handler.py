"""The TorchServe handler.

TorchServe imports this file as a single module from the folder into which it unpacked the .mar; the packages `fashion`
and `serving` are in the same folder.
"""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
if (HERE / "fashion").is_dir():
    # The packed code takes precedence over PYTHONPATH, so that the weights run with the code they were packed with.
    sys.path.insert(0, str(HERE))

from fashion.answers import describe  # noqa: E402
from fashion.engines import available_cores  # noqa: E402
from fashion.predictor import Predictor  # noqa: E402
from serving.metrics import Meter  # noqa: E402
from serving.protocol import JSON_TYPE, OUTCOME_HEADER, IncomingRequest, json_bytes, log_line, reason  # noqa: E402
from serving.repeated_parts import keep_repeated_parts  # noqa: E402
from serving.responder import Responder  # noqa: E402

logger = logging.getLogger(__name__)


# It must be the only class in this file, because TorchServe accepts exactly one. It does not inherit from BaseHandler:
# TorchServe requires only `initialize` and `handle`, and all of BaseHandler's methods would be overridden, while its
# imports bring in profilers, compilers and accelerators.
class FashionHandler:
    """Answers batches of requests; an invalid request does not affect the others."""

    responder: Responder
    meter: Meter

    def initialize(self, context: Any) -> None:
        """Load the model and warm it up, so that the first request is fast.

        Args:
            context: TorchServe's `ts.context.Context`.

        Raises:
            BundleError: the archive's weights do not match its model card; TorchServe logs it and the worker exits.
        """
        properties = context.system_properties
        config = context.model_yaml_config or {}
        gpu = properties.get("gpu_id")
        threads = threads_per_worker(config)
        device = "cpu" if gpu is None else f"cuda:{gpu}"
        predictor = Predictor.from_bundle(properties["model_dir"], threads=threads, device=device)
        predictor.warm_up(int(properties["batch_size"]))
        keep_repeated_parts()
        self.responder = Responder(predictor)
        self.meter = Meter(context.metrics)
        model, engine = predictor.identity(), predictor.engine.name
        logger.info("%(name)s %(version)s (%(weights)s) is ready", model)
        logger.info("engine: %s; threads, on a CPU: %d", engine, threads)

    def handle(self, data: list[Mapping[str, Any]], context: Any) -> list[bytes]:
        """Answer a batch.

        Args:
            data: for each request, the parts of its body by name.
            context: TorchServe's `ts.context.Context`; receives each response's status and content type.

        Returns:
            One JSON answer for each request, in the order of `data`.
        """
        # With this header TorchServe requests the model card, in a batch of one. The proxy uses it as a health check,
        # and so may any caller, in a batch with other requests.
        cards = {i for i in range(len(data)) if context.get_request_header(i, "describe") == "True"}
        calls = {i: _call(fields, i, context) for i, fields in enumerate(data) if i not in cards}
        replies, tally = self.responder.respond(list(calls.values()))
        answers = dict(zip(calls, replies, strict=True))
        for i, reply in answers.items():
            if reply.status != 200:
                context.set_response_status(code=reply.status, phrase=reason(reply.status), idx=i)
            context.set_response_header(i, OUTCOME_HEADER, reply.outcome)
            logger.info(log_line(calls[i], reply))
        for i in range(len(data)):
            context.set_response_content_type(i, JSON_TYPE)
        if calls:
            self.meter.add(tally)
        card = json_bytes(describe(self.responder.predictor.card)) if cards else b""
        return [answers[i].body if i in answers else card for i in range(len(data))]


def _call(fields: Mapping[str, Any], i: int, context: Any) -> IncomingRequest:
    # Besides the request's headers (strings), TorchServe stores here a dict for each part of a form: with a content
    # type for files, without one for text fields.
    known = context.get_all_request_header(i)
    headers = {name: value for name, value in known.items() if isinstance(value, str)}
    texts = {name for name in fields if isinstance(known.get(name), dict) and not known[name].get("content-type")}
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    # TorchServe sets this header on its explanation routes; a batch may mix requests to both kinds of routes.
    explain = headers.get("explain") == "True"
    # KServe's routes have no `url_path`; their protocol version is only known from the body.
    kserve_v2 = None if all(name.lower() != "url_path" for name in headers) else False
    # TorchServe's own id, which is also in nginx's log, and the caller's.
    ids = [context.get_request_id(i), next((v[:64] for n, v in headers.items() if n.lower() == "x-request-id"), None)]
    request_id = " ".join(filter(None, ids))
    return IncomingRequest(
        fields, headers, content_type, texts=texts, explain=explain, kserve_v2=kserve_v2, request_id=request_id
    )


def threads_per_worker(config: Mapping[str, Any]) -> int:
    """Threads per inference, such that all workers together use as many threads as there are cores.

    Args:
        config: the archive's model-config.yaml; `maxWorkers` workers share the cores.
    """
    return max(1, available_cores() // max(1, int(config.get("maxWorkers") or 1)))
