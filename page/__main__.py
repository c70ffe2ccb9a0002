"""Serve the page of a bundle, and optionally of a scored catalog, until ctrl-C.

From the command line:  python -m page BUNDLE [SCORED] [--host 127.0.0.1] [--port 8070]
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from fashion.errors import SettingError, one_line_errors
from fashion.flags import add_address_flags, add_engine_flag
from fashion.predictor import Predictor
from page.application import create_page
from page.browsing.product_list import list_products
from page.browsing.reports import find_reports
from page.browsing.selection import ListSelection
from page.shop import Shop
from serving.app import run
from serving.log_writer import start_log
from serving.ports import http_address, listening_port

PORT = 8070


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until ctrl-C; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m page", description="A web page to try photographs, and to review and browse a scored catalog."
    )
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument(
        "scored", type=Path, nargs="?", help="folder written by python -m catalog.score with this bundle"
    )
    add_address_flags(parser, PORT)
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that browsers call this server by, such as page.shop.example; may be repeated",
    )
    parser.add_argument(
        "--report",
        action="append",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="report of catalog.trends or catalog.compare to link in addition to those in SCORED; may be repeated",
    )
    add_engine_flag(parser)
    options = parser.parse_args(arguments)
    start_log(logging.WARNING)
    with one_line_errors():
        if options.report and not options.scored:
            raise SettingError("--report needs SCORED, the scored catalog whose page links the reports")
        port = listening_port(options.host, options.port)
        predictor = Predictor.from_bundle(options.bundle, options.engine)
        shop = Shop.open(options.scored, predictor.card) if options.scored else None
        reports = find_reports(options.scored, options.report) if options.scored else {}
        app = create_page(predictor, hosts=(options.host, *options.allow_host), shop=shop, reports=reports)
        if shop:
            list_products(shop, ListSelection())  # warm-up: pyarrow imports pandas if it is installed, which takes time
        print(f"open {http_address(options.host, port)} in a browser; ctrl-C ends it", flush=True)
        run(app, options.host, port)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
