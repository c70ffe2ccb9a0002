"""Filters of the page "Browse" in a real browser: what was chosen and typed stays, errors are shown."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from browser_tabs import EXPECTED
from page_server import STARTER, page
from playwright.sync_api import Page, Route, expect
from test_page import counts

from catalog import index
from catalog.score import score
from page.browsing.facets import MOST_VALUES
from training.sources.drawing import draw

BRANDS = MOST_VALUES + 4


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A shop with portrait photographs and too many brands for a list of all."""
    home = tmp_path_factory.mktemp("filters")
    with (home / "products.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "image", "title", "price", "brand", "shelf"])
        for number in range(BRANDS):
            draw(number % 4, 160)[0].crop((20, 0, 140, 160)).save(home / f"{number}.jpg")
            writer.writerow(
                [number, f"{number}.jpg", f"Garment {number}", 5 + number, f"Brand {number}", f"S{number % 2}"]
            )
    score(STARTER, [str(home / "products.csv")], home / "scored", workers=None)
    assert index.main([str(home / "scored")]) == 0
    with page(STARTER, home / "scored") as address:
        yield address


def choose_shelf(tab: Page) -> None:
    """Tick a value that half of the products have."""
    tab.locator("#facet-shelf summary").click()
    tab.locator("#choice-shelf-S1").check()


def test_portrait_photographs_are_shown_whole(opened: Callable[..., Page]) -> None:
    tile = opened("/browse").locator(".tile").first
    photograph = tile.locator("img")
    ratio = photograph.evaluate(
        "async (image) => { await image.decode(); return image.naturalHeight / image.naturalWidth; }"
    )
    assert ratio == pytest.approx(4 / 3, abs=0.01)
    inside, outside = photograph.bounding_box(), tile.bounding_box()
    assert inside
    assert outside
    assert inside["height"] <= outside["height"]


def test_chosen_values_of_a_column_with_many_stay(url: str) -> None:
    every = requests.get(f"{url}/browse", timeout=60).text
    assert 'name="is.brand"' not in every
    rare = "Brand 9"  # the last of those that are as frequent
    shown = requests.get(f"{url}/browse", {"is.brand": rare}, timeout=60).text
    assert f'value="{rare}" checked' in shown
    assert shown.count('name="is.brand"') == MOST_VALUES + 1


def test_a_mistyped_filter_keeps_the_other_choices(url: str) -> None:
    choices = {"is.shelf": "S1", "most.price": "40", "where": "price<<100"}
    wrong = requests.get(f"{url}/browse", choices, timeout=60)
    assert wrong.status_code == 400
    right = requests.get(f"{url}/browse", choices | {"where": ""}, timeout=60)
    assert counts(wrong.text) == counts(right.text)
    assert all(text in wrong.text for text in ('value="price&lt;&lt;100"', 'value="S1" checked', 'value="40"'))


def choose_shelf_of_a_slow_server(tab: Page) -> Route:
    """Tick it; the list loads when the request that is returned goes on."""
    waiting: list[Route] = []
    tab.route("**/browse?*", lambda route: waiting.append(route), times=1)
    with tab.expect_request("**/browse?*"):
        choose_shelf(tab)
    while not waiting:  # the handler may be called after the request is reported
        tab.wait_for_timeout(10)
    return waiting[0]


def test_what_is_typed_while_a_list_loads_stays(opened: Callable[..., Page]) -> None:
    tab = opened("/browse?where=price<100")
    loading = choose_shelf_of_a_slow_server(tab)
    tab.locator("#where").click()
    tab.keyboard.press("Control+A")
    tab.keyboard.type("price<2")
    loading.continue_()
    expect(tab.locator("#found > .count")).to_have_text(f"{BRANDS // 2} products")
    expect(tab.locator("#where")).to_be_focused()
    tab.keyboard.type("0")
    expect(tab.locator("#where")).to_have_value("price<20")
    tab.keyboard.press("Tab")  # which applies it
    expect(tab.locator("#found > .count")).to_have_text("7 products")


def test_a_text_that_was_typed_while_a_list_loaded_is_applied(opened: Callable[..., Page]) -> None:
    tab = opened("/browse")
    loading = choose_shelf_of_a_slow_server(tab)
    tab.locator("#where").click()
    tab.keyboard.type("price<20")
    loading.continue_()
    expect(tab.locator("#found > .count")).to_have_text(f"{BRANDS // 2} products")
    tab.keyboard.press("Tab")
    expect(tab.locator("#found > .count")).to_have_text("7 products")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda route: route.fulfill(status=502, body="<html><h1>502 Bad Gateway</h1></html>"), "status 502"),
        (lambda route: route.abort(), "the server does not answer"),
    ],
)
def test_a_server_that_fails_leaves_the_list(
    opened: Callable[..., Page], answer: Callable[[Route], None], message: str
) -> None:
    tab = opened("/browse")
    EXPECTED.extend(["status of 502", "net::ERR_FAILED"])
    tab.route("**/browse?*", answer, times=1)
    choose_shelf(tab)
    expect(tab.locator("#found > .failed")).to_contain_text(message)
    expect(tab.locator("#found > .count")).to_have_text(f"{BRANDS} products")
    tab.get_by_role("button", name="Apply").click()
    expect(tab.locator("#found > .count")).to_have_text(f"{BRANDS // 2} products")
    expect(tab.locator("#found > .failed")).to_have_count(0)


def test_a_photograph_is_searched_among_changed_filters(opened: Callable[..., Page], tmp_path: Path) -> None:
    draw(1, 160)[0].save(tmp_path / "mine.jpg")
    tab = opened("/browse")
    tab.locator("#words").fill("Garment 7")
    tab.set_input_files("#photograph", tmp_path / "mine.jpg")
    count = tab.locator("#found > .count")
    # Four of them, because the others are duplicates; the filters count all products.
    expect(count).to_have_text("4 products, the most similar to the photograph first")
    expect(tab.locator("label:has(#choice-shelf-S0) .count")).to_have_text(str(BRANDS // 2))
    expect(tab.locator("#words")).to_have_value("")
    expect(tab.locator("#query")).to_contain_text("Similar to mine.jpg")
    expect(tab.locator("#photograph-note")).to_have_count(0)
    choose_shelf(tab)
    expect(count).to_have_text("2 products, the most similar to the photograph first")
    shown = tab.locator("#query img").evaluate("async (image) => { await image.decode(); return image.naturalWidth; }")
    assert shown == 160
    tab.locator("#where").fill("price<<3")
    tab.locator("#where").press("Enter")
    EXPECTED.append("status of 400")
    expect(tab.locator("#found > .failed")).to_contain_text("expected a value for 'price'")
    tab.locator("#where").fill("price<20")
    tab.locator("#where").press("Enter")
    expect(count).to_have_text("2 products, the most similar to the photograph first")
    expect(tab.locator("label:has(#choice-shelf-S1) .count")).to_have_text("7")
    tab.get_by_role("button", name="Remove").click()
    expect(count).to_have_text("7 products")
    expect(tab.locator("#query")).to_have_count(0)


def test_words_replace_a_photograph_and_back_shows_the_earlier_list(
    opened: Callable[..., Page], tmp_path: Path
) -> None:
    draw(1, 160)[0].save(tmp_path / "mine.jpg")
    tab = opened("/browse")
    choose_shelf(tab)
    count = tab.locator("#found > .count")
    expect(count).to_have_text(f"{BRANDS // 2} products")
    tab.set_input_files("#photograph", tmp_path / "mine.jpg")
    expect(count).to_contain_text("the most similar to the photograph first")
    tab.locator("#words").fill("Garment 7")
    tab.locator("#words").press("Enter")
    expect(count).to_contain_text("the best for “Garment 7” first")
    expect(tab.locator("#query")).to_have_count(0)
    tab.go_back()
    tab.go_back()
    expect(count).to_have_text(f"{BRANDS // 2} products")


def test_a_file_that_is_no_photograph_leaves_the_filters(opened: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("no photograph")
    tab = opened("/browse")
    EXPECTED.append("status of 400")
    tab.set_input_files("#photograph", tmp_path / "notes.jpg")
    expect(tab.locator("#found > .failed")).to_be_visible()
    tab.get_by_role("button", name="Remove").click()
    expect(tab.locator("#found > .count")).to_have_text(f"{BRANDS} products")
