"""Decisions on the page "Review" in a real browser: what stays to be decided, undo, and keys."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser_tabs import EXPECTED
from page_server import STARTER, page, scored_garments
from playwright.sync_api import Page, expect

from catalog.scored.correction_store import IS, Correction, CorrectionStore


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scored_garments(tmp_path_factory.mktemp("deciding"))


@pytest.fixture(scope="module")
def url(scored: Path) -> Iterator[str]:
    with page(STARTER, scored) as address:
        yield address


def write_as_bob(scored: Path, *corrections: Correction) -> None:
    store = CorrectionStore(scored)
    store.write(corrections, store.states(each.product for each in corrections), "bob")


def test_nothing_more_is_asked_about_what_is_not_a_product(opened: Callable[..., Page]) -> None:
    tab = opened("/review")
    told, question = tab.locator("#told"), tab.locator("#question")
    expect(told).to_contain_text("more loaded")  # so that the response awaited below is not of this first load
    with tab.expect_response("**/review/queue*") as response:
        tab.reload()
    expect(told).to_contain_text("more loaded")
    first, *others = response.value.json()["items"]
    kept = [item for item in others if item["product"] != first["product"]]
    assert 0 < len(kept) < len(others)
    tab.keyboard.press("x")
    expect(told).to_have_text(f"1 decided; {len(kept) - 1} more loaded")
    expect(question).to_contain_text(kept[0]["title"])
    tab.keyboard.press("u")
    expect(told).to_have_text(f"0 decided; {len(others)} more loaded")
    expect(question).to_contain_text(first["title"])


def test_undo_after_another_reviewer_changed_the_product(opened: Callable[..., Page], scored: Path) -> None:
    tab = opened("/review?group=season")
    question, told = tab.locator("#question"), tab.locator("#told")
    decided = []
    for count in (1, 2):
        tab.locator("#options button").first.focus()
        decided.append(question.text_content() or "")
        with tab.expect_response("**/review/corrections") as answer:
            tab.keyboard.press("Enter")
        expect(told).to_contain_text(f"{count} decided")
    (product,) = answer.value.json()["states"]
    write_as_bob(scored, Correction(product, IS, "usage", "Sports"))
    EXPECTED.append("status of 409")
    tab.keyboard.press("u")
    expect(tab.locator("#error")).to_contain_text("by bob")
    expect(question).to_have_text(decided[1])
    expect(tab.locator("#reason")).to_contain_text("changed by another reviewer")
    for count, asked in ((1, decided[1]), (0, decided[0])):
        tab.keyboard.press("u")
        expect(told).to_contain_text(f"{count} decided")
        expect(question).to_have_text(asked)
    expect(tab.locator("#undo")).to_be_disabled()
    assert CorrectionStore(scored).history(product)[-2].who == "bob"  # what bob said stands


def test_undo_of_a_batch_that_another_reviewer_changed(opened: Callable[..., Page], scored: Path) -> None:
    tab = opened("/review?kind=batches&group=fit")
    told, question = tab.locator("#told"), tab.locator("#batch-question")
    expect(question).to_contain_text("Which of these")
    asked = question.text_content() or ""
    with tab.expect_response("**/review/corrections") as answer:
        tab.keyboard.press("Enter")
    expect(told).not_to_contain_text("0 decided")
    write_as_bob(scored, Correction(min(answer.value.json()["states"]), IS, "usage", "Sports"))
    EXPECTED.append("status of 409")
    tab.keyboard.press("u")
    expect(tab.locator("#error")).to_contain_text("by bob")
    tab.keyboard.press("u")
    expect(told).to_contain_text("0 decided")
    expect(question).to_have_text(asked)


@pytest.mark.parametrize("kind", ["uncertain", "batches"])
def test_nothing_can_be_decided_under_an_invalid_filter(opened: Callable[..., Page], kind: str) -> None:
    tab = opened(f"/review?kind={kind}")
    expect(tab.locator("#told")).to_contain_text("more loaded")
    EXPECTED.append("status of 400")
    tab.locator("#where").fill("price<<50")
    tab.locator("#where").blur()
    expect(tab.locator("#error")).to_contain_text("price")
    for view in ("#single", "#batch", "#nothing"):
        expect(tab.locator(view)).to_be_hidden()
    tab.locator("#where").fill("price<50")
    tab.locator("#where").blur()
    expect(tab.locator("#told")).to_contain_text("more loaded")
    expect(tab.locator("#error")).to_be_hidden()


def test_keys_of_a_batch_after_a_click(opened: Callable[..., Page]) -> None:
    tab = opened("/review?kind=batches")
    question, tiles = tab.locator("#batch-question"), tab.locator("#tiles button")
    expect(question).to_contain_text("Which of these")
    asked = question.text_content() or ""
    tab.locator("#no-one").click()
    tab.keyboard.press("ArrowRight")
    expect(tiles.first).to_be_focused()
    tab.keyboard.press("ArrowRight")
    expect(tiles.nth(1)).to_be_focused()
    expect(question).to_have_text(asked)
    tab.keyboard.press("s")
    expect(question).not_to_have_text(asked)


def test_another_label_is_chosen_by_keyboard(opened: Callable[..., Page]) -> None:
    tab = opened("/review?group=colour")
    on = tab.locator("#options [aria-pressed=true] .name")
    expect(tab.locator("#question")).to_contain_text("Which colour?")
    before = on.all_text_contents()
    tab.locator("#other").focus()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    assert on.all_text_contents() == before
    wanted = tab.input_value("#other")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(on).to_have_text([*before, wanted])
    expect(tab.locator("#told")).to_contain_text("0 decided")


def test_the_queue_stays_after_looking_at_a_product(opened: Callable[..., Page]) -> None:
    tab = opened("/review")
    tab.select_option("#group", "colour")
    tab.select_option("#label", "Black")
    expect(tab.locator("#question")).to_contain_text("Which colour?")
    with tab.context.expect_page() as product:
        tab.locator("#more").click()
    expect(product.value.locator("h1")).to_contain_text("Garment")
    tab.goto("about:blank")
    tab.go_back()
    expect(tab.locator("#label")).to_have_value("Black")
    expect(tab.locator("#label")).to_be_enabled()
    expect(tab.locator("#question")).to_contain_text("Which colour?")
