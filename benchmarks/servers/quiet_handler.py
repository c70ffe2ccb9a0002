"""The shipped handler without a log line for each request and without metrics.

It is put into an archive beside the shipped one, which it imports there as `handler`.
"""

import logging
from typing import Any

from handler import FashionHandler

from serving.metrics import Meter


class QuietHandler(FashionHandler):
    """The shipped handler without logs and metrics."""

    def initialize(self, context: Any) -> None:
        """Load the model, then silence the logs, TorchServe's worker's too."""
        super().initialize(context)
        self.meter = Meter(None)
        logging.disable(logging.INFO)
