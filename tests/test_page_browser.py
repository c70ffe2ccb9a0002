"""The page in a real browser (Debian's chromium): at two widths, in light and dark mode, by keyboard only."""

import csv
import io
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from browser_tabs import EXPECTED, PATIENCE, PHONE, WIDE, violations
from page_server import HOSTILE, STARTER, garment, garments_with_corrections, page, scored_garments
from playwright.sync_api import Browser, Page, Route, expect

from benchmarks.page_times import ANSWER, USABLE, measure_times
from catalog.scored.table import Scored


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with page(STARTER, scored_garments(tmp_path_factory.mktemp("page"))) as address:
        yield address


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two garments, one with a hostile file name, and a file that is not a photograph."""
    folder = tmp_path_factory.mktemp("photographs")
    good, hostile, bad = folder / "garment.jpg", folder / f"{HOSTILE}.jpg".replace("/", "_"), folder / "notes.jpg"
    good.write_bytes(garment(1))
    hostile.write_bytes(garment(2))
    bad.write_bytes(b"<html>no photograph")
    return [good, hostile, bad]


def choose(tab: Page, files: list[Path]) -> None:
    tab.set_input_files("#files", files)
    expect(tab.locator("#clear")).to_be_visible(timeout=PATIENCE)


def fits(tab: Page) -> bool:
    """Whether nothing extends beyond the right edge."""
    return tab.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


def focused(tab: Page) -> str:
    """The label or text of the focused element."""
    return tab.evaluate("() => document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()")


EVERY = pytest.mark.parametrize(
    ("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark")]
)


# --- try --------------------------------------------------------------------------------------------------------------


@EVERY
def test_photographs_become_cards(
    opened: Callable[..., Page], photographs: list[Path], viewport: dict[str, int], scheme: str
) -> None:
    tab = opened("/", viewport, scheme)
    assert violations(tab) == []
    EXPECTED.append("status of 400")
    choose(tab, photographs)
    expect(tab.locator(".card")).to_have_count(2)
    expect(tab.locator("#status")).to_have_text("2 of 3 answered, 1 could not be used")
    expect(tab.locator("#failed li")).to_contain_text("notes.jpg: not an image: 19 bytes that look like an HTML page")
    expect(tab.locator(".card h3").nth(1)).to_have_text(photographs[1].name)  # shown as text
    assert tab.locator("img[onerror]").count() == 0
    assert fits(tab)
    assert violations(tab) == []


def test_the_displayed_request_gives_the_displayed_answer(
    opened: Callable[..., Page], photographs: list[Path], url: str
) -> None:
    tab = opened()
    choose(tab, photographs[:1])
    for profile, steps in (("micro-f1", 0), ("micro-f1", 4), ("macro-f1", -3), ("top-k", 0)):
        tab.select_option("#profile", profile)
        if profile != "top-k":
            tab.locator("#caution").fill(str(steps / 2))
        headers = {"Fashion-Profile": profile} if profile != "micro-f1" else {}
        if steps:
            headers["Fashion-Caution"] = str(round(2 ** (-steps / 2), 4))
        lines = [f"curl {url}/predictions/fashion -T 'garment.jpg'", *(f"-H '{k}: {v}'" for k, v in headers.items())]
        expect(tab.locator("#curl")).to_have_text(" \\ ".join(lines))
        answer = requests.post(f"{url}/predictions/fashion", photographs[0].read_bytes(), headers=headers, timeout=60)
        expected = [f"{a['group'].replace('_', ' ')} {a['name']}" for a in answer.json()["attributes"]]
        rows = tab.locator(".attributes li:not(.unsure) button")
        expect(rows).to_have_count(len(expected))
        parts = zip(rows.locator(".of").all_text_contents(), rows.locator(".name").all_text_contents(), strict=True)
        assert [" ".join(part) for part in parts] == expected
    expect(tab.locator("#caution")).to_be_disabled()


def test_by_keyboard_alone(opened: Callable[..., Page], photographs: list[Path]) -> None:
    tab = opened()
    names = []
    for _ in range(9):
        tab.keyboard.press("Tab")
        names.append(focused(tab))
    assert names[:3] == ["Skip to the content", "Fashion attributes", "Try"]
    assert tab.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") != "none"
    choose(tab, photographs[:1])  # the file dialog is the browser's own
    tab.locator("[data-download=json]").focus()
    tab.keyboard.press("Tab")
    expect(tab.get_by_label("garment.jpg")).to_be_focused()  # the box that selects it
    tab.keyboard.press("Tab")
    first = focused(tab)
    assert ": " in first
    expect(tab.locator(".map")).to_be_visible()  # focusing shows the evidence
    tab.keyboard.press("ArrowDown")
    second = focused(tab)
    assert second not in ("", first)
    expect(tab.locator(".evidence")).to_contain_text(second.split(",")[0])
    tab.keyboard.press("Tab")  # one tab stop per card
    assert focused(tab).startswith("Send this request with curl")
    expect(tab.locator(".map")).to_be_hidden()


def test_the_pointer_shows_the_evidence(opened: Callable[..., Page], photographs: list[Path]) -> None:
    tab = opened()
    choose(tab, photographs[:1])
    tab.locator(".attributes button").nth(2).hover()
    expect(tab.locator(".map")).to_be_visible()
    width = tab.locator(".map").evaluate("async (image) => { await image.decode(); return image.naturalWidth; }")
    assert width == 200
    tab.mouse.move(0, 0)
    expect(tab.locator(".map")).to_be_hidden()


def test_a_wall_is_not_a_product(opened: Callable[..., Page], tmp_path: Path) -> None:
    from PIL import Image

    Image.effect_noise((300, 300), 12).convert("RGB").save(tmp_path / "wall.png")
    tab = opened()
    choose(tab, [tmp_path / "wall.png"])
    expect(tab.locator(".no-product")).to_contain_text("No product here.")
    assert tab.locator(".attributes li").count() == 0


def test_many_photographs_with_progress_and_cancel(opened: Callable[..., Page], tmp_path: Path) -> None:
    drawn = [garment(seed, 300) for seed in range(3)]
    files = [tmp_path / f"{number}.jpg" for number in range(60)]
    for number, path in enumerate(files):
        path.write_bytes(drawn[number % 3])
    tab = opened()
    tab.set_input_files("#files", files)
    expect(tab.locator("#progress")).to_be_visible()
    expect(tab.locator("#status")).to_have_text(re.compile("^[1-9][0-9]* of 60 answered"))
    tab.locator("#cancel").click()
    expect(tab.locator("#clear")).to_be_visible()
    told = tab.locator("#status").text_content() or ""
    done, cancelled = int(told.split()[0]), int(told.split(", ")[-1].split()[0])
    assert done + cancelled == 60
    assert cancelled > 0
    expect(tab.locator(".card")).to_have_count(done)
    tab.locator("#clear").click()
    expect(tab.locator("#results")).to_be_hidden()
    choose(tab, files[:2])
    expect(tab.locator("#status")).to_have_text("2 of 2 answered")


def test_pasted_and_dropped(opened: Callable[..., Page], photographs: list[Path]) -> None:
    tab = opened()
    data = list(photographs[0].read_bytes())
    for number, event in enumerate(("paste", "drop"), 1):
        tab.evaluate(SEND, [event, data, "garment.jpg"])
        expect(tab.locator(".card .attributes")).to_have_count(number)


def test_a_folder_is_dropped(opened: Callable[..., Page], tmp_path: Path) -> None:
    folder = tmp_path / "shoot"
    for place in ("within", "other"):  # of the same file names
        (folder / place).mkdir(parents=True)
        (folder / place / "2.jpg").write_bytes(garment(2))
    for number in (10, 9):
        (folder / f"{number}.jpg").write_bytes(garment(number))
    (folder / "within" / "notes.jpg").write_bytes(b"no photograph")
    (folder / ".DS_Store").write_bytes(b"of the system")
    EXPECTED.append("status of 400")
    tab = opened()
    box = tab.locator("#drop").bounding_box()
    assert box
    devtools = tab.context.new_cdp_session(tab)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 50, "y": box["y"] + 20, "data": data})
    expect(tab.locator("#status")).to_have_text("4 of 5 answered, 1 could not be used")
    names = ["9.jpg", "10.jpg", "other/2.jpg", "within/2.jpg"]
    expect(tab.locator(".card h3")).to_have_text(names)
    expect(tab.locator("#failed li")).to_contain_text("within/notes.jpg: ")
    expect(tab.locator("#clear")).to_be_visible()
    records = json.loads(saved(tab, "json", tmp_path))
    assert [record["photographs"] for record in records] == [[name] for name in [*names, "within/notes.jpg"]]


SEND = """([event, data, name]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(data)], name, { type: "image/jpeg" }));
  const made = event === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
    : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.getElementById("drop").dispatchEvent(made);
}"""


@pytest.mark.parametrize("kind", ["csv", "xlsx", "json"])
def test_downloads(opened: Callable[..., Page], photographs: list[Path], kind: str, tmp_path: Path) -> None:
    tab = opened()
    EXPECTED.append("status of 400")
    choose(tab, photographs)
    with tab.expect_download() as download:
        tab.locator(f"[data-download={kind}]").click()
    download.value.save_as(tmp_path / "attributes")
    assert download.value.suggested_filename == f"attributes.{kind}"
    content = (tmp_path / "attributes").read_bytes()
    assert content.startswith({"csv": b"\xef\xbb\xbffile,group", "xlsx": b"PK", "json": b"["}[kind])
    assert kind == "xlsx" or b"look like an HTML page" in content


def test_a_failed_download_is_reported(opened: Callable[..., Page], photographs: list[Path]) -> None:
    tab = opened()
    EXPECTED.append("net::ERR_FAILED")
    choose(tab, photographs[:1])
    tab.route("**/try/download/csv", lambda route: route.abort(), times=1)
    tab.locator("[data-download=csv]").click()
    expect(tab.locator("#status")).to_have_text("Not downloaded: the server does not answer; try again")
    with tab.expect_download():
        tab.locator("[data-download=csv]").click()
    expect(tab.locator("#status")).to_have_text("1 of 1 answered")


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # browsers have no clipboard on the second
def test_the_request_is_copied(opened: Callable[..., Page], url: str, address: str) -> None:
    EXPECTED.append("Cross-Origin-Opener-Policy header has been ignored")  # on the second
    tab = opened(url.replace("127.0.0.1", address))
    tab.locator(".ask summary").click()
    tab.locator("[data-copy=curl]").click()
    expect(tab.locator("[data-copy=curl]")).to_have_text("Copied")
    tab.evaluate("document.body.append(document.createElement('textarea'))")
    tab.locator("textarea").focus()
    tab.keyboard.press("Control+V")
    expect(tab.locator("textarea")).to_have_value(tab.locator("#curl").text_content() or "")


def test_colors_follow_the_answer_and_are_downloaded(
    opened: Callable[..., Page], photographs: list[Path], url: str, tmp_path: Path
) -> None:
    tab = opened()
    choose(tab, photographs[:1])
    measured = requests.post(f"{url}/colors", photographs[0].read_bytes(), timeout=60).json()["colors"]
    swatches = tab.locator(".colors li")
    expect(swatches).to_have_count(len(measured))
    for swatch, color in zip(swatches.all(), measured, strict=True):
        expect(swatch).to_contain_text(color["name"])
        expect(swatch.locator("code")).to_have_text(color["hex"])
        red, green, blue = bytes.fromhex(color["hex"][1:])
        expect(swatch.locator(".patch")).to_have_css("background-color", f"rgb({red}, {green}, {blue})")
    assert violations(tab) == []
    rows = list(csv.DictReader(io.StringIO(saved(tab, "csv", tmp_path).decode("utf-8-sig"))))
    assert [row["hex"] for row in rows if row["group"] == "measured color"] == [color["hex"] for color in measured]
    assert json.loads(saved(tab, "json", tmp_path))[0]["colors"][0]["name"] == measured[0]["name"]


def saved(tab: Page, kind: str, folder: Path) -> bytes:
    """The file saved by a click on a download."""
    with tab.expect_download() as download:
        tab.locator(f"[data-download={kind}]").click()
    download.value.save_as(folder / "saved")
    return (folder / "saved").read_bytes()


def shown_attributes(tab: Page) -> list[tuple[str, str]]:
    rows = tab.locator(".attributes li:not(.unsure) button")
    return list(zip(rows.locator(".of").all_text_contents(), rows.locator(".name").all_text_contents(), strict=True))


@EVERY
def test_photographs_become_one_product_by_keyboard(
    opened: Callable[..., Page], url: str, tmp_path: Path, viewport: dict[str, int], scheme: str
) -> None:
    files = [tmp_path / name for name in ("front.jpg", "back.jpg", "other.jpg")]
    for seed, path in enumerate(files):
        path.write_bytes(garment(seed))
    tab = opened("/", viewport, scheme)
    choose(tab, files)
    tab.get_by_label("front.jpg").focus()
    tab.keyboard.press("Space")
    expect(tab.locator("#selected")).to_contain_text("1 selected")
    expect(tab.locator("#join")).to_be_disabled()
    tab.get_by_label("back.jpg").focus()
    tab.keyboard.press("Space")
    tab.keyboard.press("p")
    expect(tab.locator(".card")).to_have_count(2)
    expect(tab.get_by_label("front.jpg and 1 more")).to_be_focused()
    expect(tab.locator("#clear")).to_be_visible()  # the answer has arrived
    assert violations(tab) == []
    assert fits(tab)
    form = [("image", (path.name, path.read_bytes())) for path in files[:2]]
    answer = requests.post(f"{url}/predictions/fashion", files=form, data={"product": "1"}, timeout=60).json()
    joint = [(each["group"].replace("_", " "), each["name"]) for each in answer["attributes"]]
    product = tab.locator(".card").first
    rows = product.locator(".attributes li:not(.unsure) button")
    expect(rows).to_have_count(len(joint))
    assert shown_attributes(tab)[: len(joint)] == joint
    tab.keyboard.press("Tab")
    expect(product.locator(".separate")).to_be_focused()
    tab.keyboard.press("Tab")  # into its attributes; their evidence is shown on the best photograph
    expect(product.locator(".map")).to_be_visible()
    tab.keyboard.press("u")
    expect(tab.locator(".card")).to_have_count(3)
    expect(tab.get_by_label("front.jpg")).to_be_focused()
    expect(tab.locator(".card .thumbnails")).to_have_count(0)


def test_a_product_of_several_photographs_is_requested_and_downloaded_as_shown(
    opened: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / name for name in ("front.jpg", "back.jpg", "size chart.jpg")]
    for seed, path in enumerate(files):
        path.write_bytes(garment(seed + 3))
    tab = opened()
    choose(tab, files)
    tab.locator(".pick").nth(0).check()
    tab.locator(".pick").nth(2).click(modifiers=["Shift"])  # range from the first
    expect(tab.locator("#selected")).to_have_text("3 selected")
    tab.locator("#join").click()
    expect(tab.locator(".card")).to_have_count(1)
    expect(tab.locator("#clear")).to_be_visible()
    shown = shown_attributes(tab)
    tab.locator(".ask summary").click()
    monkeypatch.chdir(tmp_path)
    exec(tab.locator("#python").text_content() or "", {})
    assert len(capsys.readouterr().out.splitlines()) == len(shown)
    by_curl = subprocess.run(
        ["bash", "-c", tab.locator("#curl").text_content()], capture_output=True, timeout=60, check=True
    )
    answer = json.loads(by_curl.stdout)
    assert [(each["group"].replace("_", " "), each["name"]) for each in answer["attributes"]] == shown
    assert answer["photographs"] == {"used": 3, "left_out": []}
    (record,) = json.loads(saved(tab, "json", tmp_path))
    assert record["photographs"] == [path.name for path in files]
    assert len(record["attributes"]) == len(shown)
    tab.get_by_label("Show back.jpg").click()
    expect(tab.locator(".card .photo")).to_have_attribute("alt", "Photograph back.jpg")
    tab.locator(".separate").click()
    expect(tab.locator(".card")).to_have_count(3)


def test_photographs_that_cannot_be_joined_stay_separate(opened: Callable[..., Page], tmp_path: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / name).write_bytes(garment(4) + bytes(11 * 2**20))  # larger than the request limit
    tab = opened()
    choose(tab, [tmp_path / "one.jpg", tmp_path / "two.jpg"])
    for box in tab.locator(".pick").all():
        box.check()
    tab.locator("#join").click()
    expect(tab.locator("#selected")).to_contain_text("Not joined: together these are larger than 20 MiB")
    expect(tab.locator(".card")).to_have_count(2)


@pytest.mark.skipif(
    "FASHION_TIMES" not in os.environ, reason="times need a machine without other work: FASHION_TIMES=1"
)
def test_the_page_is_fast(browser: Browser, url: str, tmp_path: Path) -> None:
    times = measure_times(browser, url, tmp_path)
    print(times)
    assert times.usable < USABLE
    assert times.later < ANSWER


# --- browse -----------------------------------------------------------------------------------------------------------


@EVERY
def test_browsing(opened: Callable[..., Page], viewport: dict[str, int], scheme: str) -> None:
    tab = opened("/browse", viewport, scheme)
    assert violations(tab) == []
    assert fits(tab)
    if viewport is PHONE:
        tab.locator("#filters > details > summary").click()
    box = tab.locator("#filters input[type=checkbox]").first
    count = tab.locator("#filters .choice .count").first.text_content()
    box.focus()
    tab.keyboard.press("Space")
    expect(tab.locator("#found > .count")).to_contain_text(f"{count} product")
    expect(tab.locator("#filters input[type=checkbox]").first).to_be_focused()  # the focus stays
    assert "is." in tab.url
    tab.go_back()
    expect(tab.locator("#found > .count")).to_contain_text("14 products")
    tab.locator(".products a").nth(1).focus()
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/browse/product/**")
    tab.locator("#attributes button").first.focus()
    expect(tab.locator("#map")).to_be_visible()
    assert violations(tab) == []
    assert fits(tab)


@EVERY
def test_a_product_with_several_photographs(opened: Callable[..., Page], viewport: dict[str, int], scheme: str) -> None:
    tab = opened("/browse/product/g/3", viewport, scheme)
    tab.get_by_label("Photograph 2 of 2").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#photo")).to_have_attribute("alt", "Photograph 2 of Garment 3")
    tab.locator("#attributes button").first.focus()
    expect(tab.locator("#map")).to_have_attribute("src", re.compile("number=2$"))
    expect(tab.locator("#map")).to_be_visible()
    expect(tab.locator(".colors li").first).to_contain_text(re.compile("#[0-9a-f]{6}"))
    expect(tab.locator(".faults li").first).to_contain_text("too small for Google Merchant")
    assert violations(tab) == []
    assert fits(tab)


def test_a_product_without_a_photograph_has_no_evidence(opened: Callable[..., Page]) -> None:
    tab = opened("/browse")

    def without_photograph(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=re.sub("<img id=.photo.[^>]*>", '<img id="photo" hidden>', answer.text()))

    tab.route("**/browse/product/g/1", without_photograph)
    tab.goto(f"{tab.url}/product/g/1")
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.locator("#attributes button").first.focus()
    tab.wait_for_timeout(500)  # longer than an attribute must have the focus
    expect(tab.locator("#evidence")).to_be_empty()
    assert not [url for url in asked if "/evidence/" in url]


def test_searching_by_words_and_photograph(opened: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(garment(5))
    tab = opened("/browse")
    tab.locator("#words").fill("Garment 7")
    tab.keyboard.press("Enter")
    expect(tab.locator("#found > .count")).to_contain_text("the best for “Garment 7” first")
    expect(tab.locator(".products .id").first).to_contain_text("g/7")
    tab.set_input_files("#photograph", tmp_path / "one.jpg")
    expect(tab.locator("#found > .count")).to_contain_text("the most similar to the photograph first")


def test_recommending(opened: Callable[..., Page]) -> None:
    tab = opened("/browse/product/g/1")
    tab.get_by_text("Recommend for customers who like this").click()
    tab.get_by_role("link", name="Less").first.click()
    expect(tab.get_by_role("heading", name="Not liked")).to_be_visible()
    assert violations(tab) == []


# --- review -----------------------------------------------------------------------------------------------------------


@EVERY
def test_reviewing_by_keyboard(opened: Callable[..., Page], viewport: dict[str, int], scheme: str) -> None:
    tab = opened("/review", viewport, scheme)
    question = tab.locator("#question")
    expect(question).to_contain_text("?")
    expect(tab.locator("#map")).to_be_visible()  # the evidence for the focused label
    assert violations(tab) == []
    assert fits(tab)
    first = question.text_content() or ""
    pressed = tab.locator("#options button").nth(1)
    was = pressed.get_attribute("aria-pressed")
    tab.keyboard.press("2")
    expect(pressed).to_have_attribute("aria-pressed", "false" if was == "true" else "true")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    expect(tab.locator("#told")).to_contain_text("1 decided")
    expect(question).not_to_have_text(first)
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#told")).to_contain_text("1 decided")
    tab.keyboard.press("u")
    expect(tab.locator("#told")).to_contain_text("0 decided")
    expect(question).to_have_text(first)
    tab.keyboard.press("x")
    expect(tab.locator("#told")).to_contain_text("1 decided")
    tab.keyboard.press("u")
    expect(tab.locator("#told")).to_contain_text("0 decided")


def test_a_decision_is_saved_with_the_queue_that_showed_the_item(opened: Callable[..., Page]) -> None:
    tab = opened("/review")
    tab.locator("#options button").first.focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#told")).to_contain_text("1 decided")
    with tab.expect_response("**/review/queue*kind=random*"):
        tab.select_option("#kind", "random")
    expect(tab.locator("#told")).to_contain_text("39 more loaded")
    tab.locator("#undo").click()  # shows the item of the first queue again
    expect(tab.locator("#told")).to_contain_text("0 decided")
    tab.locator("#options button").first.focus()
    for kind in ("uncertain", "random"):
        with tab.expect_request("**/review/corrections") as request:
            tab.keyboard.press("Enter")
        assert (request.value.post_data_json["found_by"], request.value.post_data_json["where"]) == (kind, "")
        expect(tab.locator("#told")).to_contain_text(f"{1 + (kind == 'random')} decided")
    for count in (1, 0):
        tab.locator("#undo").click()
        expect(tab.locator("#told")).to_contain_text(f"{count} decided")


@pytest.mark.parametrize(
    ("kind", "shown", "loaded"), [("uncertain", "#question", 40), ("batches", "#batch-question", 6)]
)
def test_skipping_all_that_was_loaded_loads_more(
    opened: Callable[..., Page], kind: str, shown: str, loaded: int
) -> None:
    tab = opened("/review")
    expect(tab.locator("#told")).to_contain_text("more loaded")
    if tab.input_value("#kind") != kind:  # choosing it again would load the queue a second time, some time later
        tab.select_option("#kind", kind)
    seen = []
    for rest in reversed(range(loaded)):
        expect(tab.locator("#told")).to_contain_text(f"{rest} more loaded")
        seen.append(tab.locator(shown).text_content())
        tab.locator("#next:visible, #skip:visible").click()
    expect(tab.locator("#told")).to_contain_text(f"{loaded - 1} more loaded")
    expect(tab.locator("#nothing")).to_be_hidden()
    assert tab.locator(shown).text_content() not in seen


def test_two_reviewers_at_once(opened: Callable[..., Page]) -> None:
    one, two = opened("/review"), opened("/review")
    for tab, name in ((one, "ana"), (two, "bob")):
        tab.select_option("#group", "season")
        expect(tab.locator("#question")).to_contain_text("Which season?")
        tab.locator("#who").fill(name)
        tab.locator("#options button").first.focus()
    asked = one.locator("#question").text_content() or ""
    expect(two.locator("#question")).to_have_text(asked)
    one.keyboard.press("Enter")
    expect(one.locator("#told")).to_contain_text("1 decided")
    two.locator("#options button").first.focus()
    EXPECTED.append("status of 409")
    two.keyboard.press("Enter")
    expect(two.locator("#error")).to_contain_text("by ana")
    expect(two.locator("#question")).to_have_text(asked)  # as left by ana
    expect(two.locator("#told")).to_contain_text("0 decided")


def test_a_batch_at_once(opened: Callable[..., Page]) -> None:
    tab = opened("/review")
    with tab.expect_response("**/review/queue*kind=batches*") as response:
        tab.select_option("#kind", "batches")
    expect(tab.locator("#batch-question")).to_contain_text("Which of these")
    tiles = tab.locator("#tiles button")
    count = tiles.count()
    products = response.value.json()["batches"][0]["products"]
    as_answered = [str(product["answered"]).lower() for product in products]
    assert [tile.get_attribute("aria-pressed") for tile in tiles.all()] == as_answered
    assert set(as_answered) == {"true", "false"}
    assert violations(tab) == []
    expect(tiles.first).to_be_focused()
    tab.keyboard.press("n")
    tab.keyboard.press("Space")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Shift+Space")  # range from the first
    pressed = [tile.get_attribute("aria-pressed") for tile in tiles.all()]
    assert pressed[:3] == ["true"] * 3
    assert pressed[3:] == ["false"] * (count - 3)
    tab.keyboard.press("Enter")
    expect(tab.locator("#told")).to_contain_text(f"{count} decided")
    tab.keyboard.press("u")
    expect(tab.locator("#told")).to_contain_text("0 decided")


def test_the_next_photograph_of_a_product(opened: Callable[..., Page]) -> None:
    tab = opened("/review")
    tab.locator("#where").fill("id='g/8'")
    tab.keyboard.press("Tab")  # which applies it
    expect(tab.locator("#question")).to_contain_text("Garment 8")
    tab.locator("#options button").first.focus()
    expect(tab.locator("#map")).to_be_visible()
    tab.keyboard.press("v")
    expect(tab.locator("#photo")).to_have_attribute("alt", "Photograph 2 of Garment 8")
    expect(tab.locator("#map")).to_have_attribute("src", re.compile("number=2$"))  # the evidence changes with it
    tab.keyboard.press("v")
    expect(tab.locator("#photo")).to_have_attribute("alt", "Photograph 1 of Garment 8")


def test_an_empty_queue_is_reported(opened: Callable[..., Page]) -> None:
    tab = opened("/review")
    expect(tab.locator("#options button").first).to_be_visible()
    tab.locator("#where").fill("price>1000")
    tab.keyboard.press("Enter")
    expect(tab.locator("#nothing")).to_be_visible()
    expect(tab.locator("#single")).to_be_hidden()


# --- refit ------------------------------------------------------------------------------------------------------------


def answers(scored: Path) -> dict[str, list[str]]:
    """The answers for each product in the corrected group."""
    table = Scored.open(scored).batches(["id", "attribute.usage"])
    return {row["id"]: row["attribute.usage"] for batch in table for row in batch.to_pylist()}


def test_a_refit_is_shown_applied_and_undone(
    opened: Callable[..., Page], tmp_path_factory: pytest.TempPathFactory
) -> None:
    scored = garments_with_corrections(tmp_path_factory.mktemp("refit"))
    before = answers(scored)
    with page(STARTER, scored) as own:
        tab = opened(f"{own}/review")
        tab.locator("#learning summary").focus()
        tab.keyboard.press("Enter")
        expect(tab.locator("#in-force")).to_contain_text("Nothing is fitted yet")
        expect(tab.locator("#apply")).to_be_hidden()
        expect(tab.locator("#refit")).to_be_enabled()
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        judged = tab.locator("#proposal tbody").first.locator("tr").first
        expect(judged).to_contain_text(re.compile(r"Right answers \(micro-F1\)\s*0\.\d+\s*0\.\d+\s*\+0\.\d+ \(\+0"))
        expect(tab.locator("#refit-told")).to_contain_text("Learned from 36 corrected products")
        told = tab.locator("#proposal").text_content() or ""
        gone, come = map(int, re.search(r"(\d+) would be removed, and (\d+) new", told).groups())
        assert gone + come > 0
        assert answers(scored) == before  # unchanged before the click
        assert violations(tab) == []
        tab.locator("#apply").click()
        expect(tab.locator("#in-force")).to_contain_text("In force: applied by")
        after = answers(scored)
        assert sum(len(set(after[id]) - set(before[id])) for id in before) == come
        assert sum(len(set(before[id]) - set(after[id])) for id in before) == gone
        tab.reload()
        tab.locator("#learning summary").click()
        tab.locator("#undo-refit").click()
        expect(tab.locator("#in-force")).to_contain_text("Nothing is fitted yet")
        assert answers(scored) == before
        tab.close()  # before its server stops


def test_a_product_that_appears_late_leaves_the_focus_where_it_is(opened: Callable[..., Page]) -> None:
    tab = opened("/review")
    expect(tab.locator("#options button").first).to_be_focused()
    tab.locator("#learning summary").focus()
    tab.evaluate("document.getElementById('options').replaceChildren()")
    tab.evaluate("document.getElementById('kind').dispatchEvent(new Event('change'))")
    expect(tab.locator("#options button").first).to_be_visible()  # of the product that was loaded meanwhile
    expect(tab.locator("#learning summary")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#refit")).to_be_visible()


def test_a_refit_of_too_few_corrections_names_the_minimum(opened: Callable[..., Page]) -> None:
    tab = opened("/review")
    EXPECTED.append("status of 400")
    tab.locator("#learning summary").click()
    tab.locator("#refit").click()
    expect(tab.locator("#refit-told")).to_contain_text("a refit needs 30")
    expect(tab.locator("#apply")).to_be_hidden()
