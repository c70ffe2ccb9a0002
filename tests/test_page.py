"""The page's server: security headers, refused requests, downloads, lists, products."""

import asyncio
import csv
import html
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from fastapi import FastAPI
from page_server import HOSTILE, PRODUCTS, STARTER, garment, page, scored_garments
from PIL import Image
from python_calamine import CalamineWorkbook

from catalog.coloring.color_table import COLORS_FILE, ColoredProduct, write_colors
from catalog.coloring.measuring import photograph_colors
from catalog.score import score
from catalog.scored.correction_store import ONLY, Correction, CorrectionStore
from catalog.scored.table import Scored
from fashion.colors.palette import DominantColor
from fashion.errors import SettingError
from fashion.model_card import ModelCard
from fashion.predictor import Predictor
from page.application import create_page
from page.browsing.facets import _format_limit
from page.browsing.reports import find_reports, report_policy
from page.browsing.selection import ListSelection
from page.security import POLICY
from page.shop import Shop
from page.trying.card_facts import card_facts
from page.trying.downloads import download
from page.trying.limits import MAX_ENTRIES
from serving.ports import free_ports
from serving.protocol import MAX_BODY


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = scored_garments(tmp_path_factory.mktemp("page"))
    report = folder / "rising"
    report.mkdir()
    (report / "trends.json").write_text("{}")
    (report / "index.html").write_text("<h1>Which attributes rise</h1>")
    return folder


@pytest.fixture(scope="module")
def url(scored: Path) -> Iterator[str]:
    with page(STARTER, scored) as address:
        yield address


@pytest.fixture(scope="module")
def app(scored: Path, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folder = tmp_path_factory.mktemp("unindexed")  # the index is in use
    for file in scored.glob("*.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    predictor = Predictor.from_bundle(STARTER)
    return create_page(predictor, shop=Shop.open(folder, predictor.card))


# --- safety -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/browse", "/browse/product/g/1", "/readyz", "/nowhere", "/static/x/try.js"])
def test_every_response_has_the_security_headers(url: str, path: str) -> None:
    headers = requests.get(url + path, timeout=60).headers
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert headers["x-content-type-options"] == "nosniff"


def test_pages_load_nothing_from_elsewhere_and_hold_no_inline_code(url: str) -> None:
    for path in ("/", "/browse", "/browse/product/g/1", "/browse/recommend?like=g/1"):
        text = requests.get(url + path, timeout=60).text
        assert not re.findall(r"""(?:src|href|action)=["'](?:https?:)?//""", text)
        assert not re.findall(r"<script(?![^>]*(?:src=|application/json))", text)
        assert not re.findall(r"\s(?:style|on\w+)=", text.replace("&lt;img src=x onerror=alert(1)&gt;", ""))


def test_static_files_are_there_and_kept(url: str) -> None:
    text = requests.get(url, timeout=60).text
    for address in re.findall(r'"(/static/[^"]+)"', text):
        answer = requests.get(url + address, timeout=60)
        assert answer.ok
        assert "immutable" in answer.headers["cache-control"]
    assert requests.get(f"{url}/static/other/try.js", timeout=60).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_pages_of_other_sites_may_not_post(url: str, headers: dict[str, str]) -> None:
    for path in ("/predictions/fashion", "/colors", "/try/download/csv", "/browse"):
        refused = requests.post(url + path, data=garment(0), headers=headers, timeout=60)
        assert (refused.status_code, refused.json()["error"]["type"]) == (403, "ForeignOrigin")
    assert requests.post(f"{url}/predictions/fashion", data=garment(0), headers={"Origin": url}, timeout=60).ok


@pytest.mark.parametrize(
    ("host", "status"), [("evil.example", 421), ("", 421), ("[::1", 421), ("127.0.0.1", 200), ("localhost", 200)]
)
def test_foreign_host_names_are_refused(url: str, host: str, status: int) -> None:
    """A foreign host name may resolve to this server (DNS rebinding)."""
    assert requests.get(url, headers={"Host": host}, timeout=60).status_code == status


def test_uploads_are_bounded(url: str) -> None:
    for path in ("/predictions/fashion", "/colors", "/try/download/csv"):
        refused = requests.post(url + path, data=bytes(MAX_BODY + 1), timeout=60)
        assert (refused.status_code, refused.json()["error"]["type"]) == (413, "TooLarge")
    shown = requests.post(f"{url}/browse", files={"photograph": bytes(MAX_BODY + 1)}, timeout=60)
    assert shown.status_code == 400
    assert "larger than 20 MiB" in shown.text


@pytest.mark.parametrize(
    "path",
    [
        "/colors",
        "/try/download/csv",
        "/browse",
        "/review/corrections",
        "/review/undo",
        "/review/refit/apply/1",
        "/review/refit/undo",
    ],
)
def test_a_client_that_disconnects_during_an_upload_is_no_error(app: FastAPI, path: str) -> None:
    messages = iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    asyncio.run(app(scope, receive, send))  # else it would raise what the server logs with a traceback
    assert sent[0]["status"] == 499


def test_catalog_names_are_escaped(url: str) -> None:
    for path in ("/browse", "/browse/product/g/0"):
        text = requests.get(url + path, timeout=60).text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text
        assert HOSTILE not in text


# --- try --------------------------------------------------------------------------------------------------------------


def test_the_page_contains_the_card() -> None:
    card = ModelCard.load(STARTER)
    facts = card_facts(card, "fashion")
    assert json.loads(json.dumps(facts)) == facts
    assert facts["profiles"].keys() == set(card.profiles)
    label, threshold = card.labels[5], card.threshold_row("precision")[5]
    assert facts["profiles"]["precision"][f"{label.group}:{label.name}"] == pytest.approx(threshold, abs=1e-4)
    assert facts["applies"].keys() == set(card.gates.applies)


ATTRIBUTE = {"group": "colour", "name": "Navy Blue", "probability": 0.91234, "threshold": 0.4}
COLOR = {"hex": "#28335f", "name": "navy", "basic": "blue", "share": 0.71234}
ANSWERED: list[dict[str, Any]] = [
    {
        "photographs": ["=1+1.jpg", "back.jpg"],
        "attributes": [ATTRIBUTE, ATTRIBUTE | {"name": "Écru"}],
        "colors": [COLOR],
    },
    {"photographs": ["wall.jpg"], "attributes": [], "colors": [], "note": "no product recognized"},
]


def test_downloads_contain_answers_and_colors() -> None:
    rows = list(csv.DictReader(io.StringIO(download("csv", ANSWERED)[0].decode("utf-8-sig"))))
    names = ("file", "group", "name", "probability", "hex", "share", "note")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("=1+1.jpg; back.jpg", "colour", "Navy Blue", "0.9123", "", "", ""),
        ("=1+1.jpg; back.jpg", "colour", "Écru", "0.9123", "", "", ""),
        ("=1+1.jpg; back.jpg", "measured color", "navy", "", "#28335f", "0.7123", ""),
        ("wall.jpg", "", "", "", "", "", "no product recognized"),
    ]
    book = CalamineWorkbook.from_filelike(io.BytesIO(download("xlsx", ANSWERED)[0]))
    cells = book.get_sheet_by_index(0).to_python()
    assert cells[1] == ["=1+1.jpg; back.jpg", "colour", "Navy Blue", 0.9123, 0.4, "", "", ""]
    assert cells[3] == ["=1+1.jpg; back.jpg", "measured color", "navy", "", "", "#28335f", 0.7123, ""]
    first = json.loads(download("json", ANSWERED)[0])[0]
    assert first["attributes"][1]["name"] == "Écru"
    assert first["photographs"] == ["=1+1.jpg", "back.jpg"]
    assert first["colors"] == [{"hex": "#28335f", "name": "navy", "share": 0.7123}]


def test_colors_of_a_photograph(url: str) -> None:
    photo = io.BytesIO()
    picture = Image.new("RGB", (120, 120), "white")
    picture.paste("#28335f", (30, 20, 90, 100))
    picture.save(photo, "PNG")
    for ask in (requests.post, requests.put):  # the page uses POST, curl -T uses PUT
        (color,) = ask(f"{url}/colors", data=photo.getvalue(), timeout=60).json()["colors"]
        assert color == {"hex": "#28335f", "name": "navy", "basic": "blue", "share": 1.0}
    refused = requests.post(f"{url}/colors", data=b"<html>", timeout=60)
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "InvalidImage")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("pdf", ANSWERED),
        ("csv", 7),
        ("csv", [{"photographs": ["a"]}]),
        ("csv", [{"photographs": ["a"], "attributes": [{"group": "x"}], "colors": []}]),
        ("xlsx", [ANSWERED[1] | {"colors": [COLOR | {"hex": "red"}]}]),
        ("csv", [ANSWERED[1]] * (MAX_ENTRIES + 1)),
    ],
)
def test_invalid_downloads(url: str, kind: str, content: Any) -> None:
    with pytest.raises(SettingError):
        download(kind, content)
    expected = "InvalidRequest" if content is None else "SettingError"  # None sends no content
    refused = requests.post(f"{url}/try/download/{kind}", json=content, timeout=60)
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, expected)


# --- browse -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ([("is.colour", "Black")], "colour=Black"),
        ([("is.colour", "Black"), ("is.colour", "Navy Blue")], "colour in (Black, 'Navy Blue')"),
        ([("is.not", "in")], "'not'='in'"),
        ([("is.brand", "Levi's")], 'brand="Levi\'s"'),
        ([("least.price", "5"), ("most.price", ""), ("where", "a=b or c=d")], "price>=5 and (a=b or c=d)"),
        ([("where", "a=b"), ("other", "x"), ("page", "-1")], "a=b"),
    ],
)
def test_a_selection_as_a_filter(address: list[tuple[str, str]], text: str) -> None:
    assert ListSelection.read(address).filter() == text


def counts(text: str) -> dict[str, int]:
    """Each choice's count."""
    found = re.findall(r'name="(is\.[^"]+)" value="([^"]+)".*?class="count">([\d,]+)<', text)
    return {f"{name} {value}": int(count) for name, value, count in found}


def test_the_counts_of_choices_match_the_lists(url: str) -> None:
    every = counts(requests.get(f"{url}/browse", timeout=60).text)
    assert len({key.split()[0] for key in every}) > 5
    for choice, count in list(every.items())[::7]:
        name, _, value = choice.partition(" ")
        chosen = requests.get(f"{url}/browse", {name: value}, timeout=60).text
        assert f"{count} product" in chosen
        assert counts(chosen)[choice] == count  # counts within its own group stay
        assert chosen.count('<span class="tile">') == count


def test_limits_keep_all_digits() -> None:
    assert _format_limit(1234567.5, "number") == "1234567.5"


def test_limits_and_filters(url: str) -> None:
    assert "5 products" in requests.get(f"{url}/browse", {"least.price": 6, "most.price": "10"}, timeout=60).text
    assert "3 products" in requests.get(f"{url}/browse", {"most.added": "2026-05-03"}, timeout=60).text
    assert '<span class="tile">' in requests.get(f"{url}/browse", {"page": 99}, timeout=60).text  # the last page
    wrong = requests.get(f"{url}/browse", {"where": "prise<5"}, timeout=60)
    assert wrong.status_code == 400
    assert "did you mean &#39;price&#39;?" in wrong.text


def test_searches_in_words_and_by_a_photograph(url: str) -> None:
    words = requests.get(f"{url}/browse", {"words": "Garment under 8"}, timeout=60).text
    assert "2 products, the best for" in words  # the first has another name
    photograph = requests.post(f"{url}/browse", files={"photograph": garment(4)}, timeout=60)
    assert photograph.ok
    assert "choose the photograph once more" in photograph.text
    first = re.findall(r'href="/browse/product/([^"]+)"', photograph.text)[0]
    assert first == "g/4"
    bad = requests.post(f"{url}/browse", files={"photograph": b"<html>"}, timeout=60)
    assert (bad.status_code, "look like an HTML page" in bad.text) == (400, True)


@pytest.mark.parametrize("where", ["", "nowhere=1"])
def test_the_choices_survive_a_failed_search(url: str, where: str) -> None:
    chosen, photograph = {"is.colour": "Black", "where": where}, {"photograph": b"<html>"}
    shown = requests.post(f"{url}/browse", params=chosen, files=photograph, timeout=60)
    assert shown.status_code == 400
    assert 'value="Black" checked' in shown.text
    assert 'name="is.colour"' in shown.text


def test_searches_see_corrections_made_meanwhile(url: str, scored: Path) -> None:
    store = CorrectionStore(scored)
    seasons = Scored.open(scored).rows_of(["g/2"], ["attribute.season"])["attribute.season"].to_pylist()[0]
    season = next(name for name in ("Winter", "Summer") if name not in seasons)

    def by_photograph() -> str:
        where = {"where": f"id='g/2' and season={season}"}
        return requests.post(f"{url}/browse", params=where, files={"photograph": garment(2)}, timeout=60).text

    def recommended() -> str:
        text = requests.get(f"{url}/browse/recommend", {"like": ["g/1"]}, timeout=60).text
        return next(card for card in re.findall(r"<li.*?</li>", text, re.DOTALL) if "/browse/product/g/2" in card)

    for shown in (by_photograph, recommended):
        before = shown()
        (written,) = store.write([Correction("g/2", ONLY, "season", season)], store.states(["g/2"]))
        try:
            assert shown() != before
        finally:
            store.undo([written.number], store.states(["g/2"]))
        assert shown() == before


def test_the_filter_for_the_command_line_is_one_word_of_a_shell(url: str) -> None:
    where = """title!="Levi's $HOME" and price<1000"""
    text = requests.get(f"{url}/browse", {"where": where}, timeout=60).text
    (command,) = re.findall(r"<code>(--where .*?)</code>", text)
    assert shlex.split(html.unescape(command)) == ["--where", where]


def test_a_product_and_similar_products(url: str) -> None:
    text = requests.get(f"{url}/browse/product/g/{PRODUCTS - 1}", timeout=60).text
    relations = dict(re.findall(r'<h2 id="relation-\d">(\w+)</h2>(.*?)</section>', text, re.DOTALL))
    assert relations.keys() == {"Similar", "Replacements", "Duplicates"}
    assert re.findall(r'href="/browse/product/([^"]+)"', relations["Duplicates"]) == [f"g/{PRODUCTS - 2}"]
    assert f'"/browse/product/g/{PRODUCTS - 2}"' not in relations["Replacements"]
    assert "alike:" in relations["Similar"]
    assert requests.get(f"{url}/browse/product/none", timeout=60).status_code == 404


def test_a_product_has_all_its_photographs_colors_and_checks(url: str, scored: Path) -> None:
    text = requests.get(f"{url}/browse/product/g/3", timeout=60).text
    assert re.findall(r'aria-label="(Photograph . of .)"', text) == ["Photograph 1 of 2", "Photograph 2 of 2"]
    first, second = (requests.get(f"{url}/browse/photograph/640/g/3?number={n}", timeout=60).content for n in (1, 2))
    assert first != second
    assert requests.get(f"{url}/browse/photograph/640/g/3?number=3", timeout=60).status_code == 404
    own = photograph_colors(scored.parent / "3.jpg")
    assert re.findall(r'<rect width="10" height="10" fill="(#[0-9a-f]{6})"/>', text) == [color.hex for color in own]
    assert "too small for Google Merchant: 200 x 200 px" in text
    alone = requests.get(f"{url}/browse/product/g/4", timeout=60).text
    assert "Photograph 1 of" not in alone


def test_colors_are_those_that_the_catalog_measured(url: str, scored: Path) -> None:
    measured = [ColoredProduct("g/2", "", (DominantColor(0.5, "#123456", "navy", "blue"),))]
    write_colors(scored, measured)
    try:
        text = requests.get(f"{url}/browse/product/g/2", timeout=60).text
    finally:
        (scored / COLORS_FILE).unlink()
    assert re.findall(r'fill="(#[0-9a-f]{6})"', text) == ["#123456"]


def test_errors_are_pages_to_browsers_and_json_to_programs(url: str) -> None:
    for path, message in (("/nowhere", "There is no such page."), ("/browse/product/x", "has no product &#39;x&#39;")):
        shown = requests.get(url + path, headers={"Accept": "text/html"}, timeout=60)
        assert (shown.status_code, message in shown.text, "<h1>" in shown.text) == (404, True, True)
        assert requests.get(url + path, timeout=60).json()["error"]["type"] == "NotFound"


def test_recommendations(url: str) -> None:
    text = requests.get(f"{url}/browse/recommend", {"like": ["g/1", "g/2"], "unlike": "g/3"}, timeout=60).text
    listed = re.findall(r'<span class="tile"', text.partition("Recommended for customers who like these")[2])
    assert len(listed) == PRODUCTS - 4  # two of them are listings of one product


def test_photographs_and_evidence(url: str) -> None:
    for path in ("/browse/photograph/240/g/1", "/browse/evidence/g/3?label=colour:Black&number=2"):
        answer = requests.get(url + path, timeout=60)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content.startswith(b"\xff\xd8")
    for path in ("/browse/photograph/9999/g/1", "/browse/photograph/240/x", "/browse/evidence/g/1?label=colour:Blak"):
        assert requests.get(url + path, timeout=60).status_code == 404


@pytest.mark.parametrize("path", ["/browse/photograph/240/g/3", "/browse/evidence/g/3?label=colour:Black"])
def test_pictures_are_kept_until_their_file_changes(url: str, scored: Path, path: str) -> None:
    first = requests.get(url + path, timeout=60)
    assert first.headers["cache-control"] == "private, no-cache"
    kept = {"If-None-Match": first.headers["etag"]}
    again = requests.get(url + path, headers=kept, timeout=60)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    os.utime(scored.parent / "3.jpg")
    assert requests.get(url + path, headers=kept, timeout=60).status_code == 200


def test_reports_are_linked_and_shown_under_their_own_policy(url: str) -> None:
    assert '<a href="/browse/report/0">Trends: rising</a>' in requests.get(f"{url}/browse", timeout=60).text
    report = requests.get(f"{url}/browse/report/0", timeout=60)
    assert report.text == "<h1>Which attributes rise</h1>"
    assert report.headers["content-security-policy"] == report_policy()
    assert requests.get(f"{url}/browse/report/1", timeout=60).status_code == 404


def test_photographs_stored_in_a_table_are_shown(tmp_path: Path) -> None:
    images = [garment(1), garment(2), garment(3)]
    table = pa.table({"id": ["a", "a", "b"], "image": pa.array(images, pa.binary())})
    pq.write_table(table, tmp_path / "t.parquet")
    score(STARTER, [str(tmp_path / "t.parquet")], tmp_path / "scored")
    with page(STARTER, tmp_path / "scored") as url:
        shown = [requests.get(f"{url}/browse/photograph/640/{name}", timeout=60) for name in ("a", "a?number=2", "b")]
        assert all(answer.headers["content-type"] == "image/jpeg" for answer in shown)
        assert len({answer.content for answer in shown}) == 3
        assert requests.get(f"{url}/browse/evidence/a?label=colour:Black&number=2", timeout=60).ok
        text = requests.get(f"{url}/browse/product/a", timeout=60).text
    assert "Photograph 2 of 2" in text
    assert re.findall(r'fill="(#[0-9a-f]{6})"', text) == [color.hex for color in photograph_colors(images[0])]
    assert "too small for Google Merchant: 200 x 200 px" in text


def test_reports_of_one_name_are_numbered_and_none_is_listed_twice(tmp_path: Path) -> None:
    folders = [tmp_path / place for place in ("scored/rising", "a/rising", "b/rising")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "trends.json").write_text("{}")
        (folder / "index.html").write_text("")
    found = find_reports(tmp_path / "scored", [folders[1], folders[0], folders[2]])
    assert list(found) == ["Trends: rising", "Trends: rising (2)", "Trends: rising (3)"]
    assert list(found.values()) == [folder / "index.html" for folder in folders]


def test_without_an_index(scored: Path, tmp_path: Path) -> None:
    for file in scored.glob("*.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with page(STARTER, tmp_path) as url:
        assert "need an index" in requests.get(f"{url}/browse/product/g/1", timeout=60).text
        refused = requests.get(f"{url}/browse", {"words": "dress"}, timeout=60)
        assert (refused.status_code, "python -m catalog.index" in refused.text) == (400, True)
        assert "14 products" in requests.get(f"{url}/browse", timeout=60).text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no model_card.json in 'nowhere'"),
        ([STARTER, "nowhere"], "nowhere is not a scored catalog"),
        ([STARTER, "--report", "rising"], "--report needs SCORED"),
    ],
)
def test_unusable_arguments_are_one_line_errors(arguments: list[str | Path], message: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "page", *map(str, arguments), "--port", str(free_ports(1)[0])]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
