"""The whole report in a browser: wide and narrow, light and dark, without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright
from whole import NASTY, source

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(found for found in map(shutil.which, NAMES) if found)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(source())
    return path.as_uri()


@pytest.fixture(params=[(375, "light"), (1280, "light"), (1280, "dark")], ids=str)
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.said.append(request.url))
    page.on("dialog", lambda dialog: page.said.append(dialog.message))
    page.goto(address)
    yield page
    context.close()


def test_nothing_is_fetched_said_or_run(page: Any, address: str) -> None:
    assert page.said == [address]


def test_no_horizontal_scroll(page: Any) -> None:
    wide, seen = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide == seen


def test_accessible(page: Any) -> None:
    found = Axe().run(page).response["violations"]
    assert [(f["id"], f["nodes"][0]["html"]) for f in found] == []


def test_every_link_of_the_contents_is_reached_by_keyboard(page: Any) -> None:
    links = page.locator("nav a")
    targets = [link.get_attribute("href") for link in links.all()]
    reached = []
    for _ in targets:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.getAttribute('href')"))
    assert reached == targets
    assert len(targets) > 15
    page.keyboard.press("Enter")
    assert page.url.endswith(targets[-1])
    assert page.locator(targets[-1]).count() == 1


def test_names_that_are_code_are_text(page: Any) -> None:
    text = page.locator("body").text_content()
    for name in NASTY[:3]:  # who are among the customers to look at
        assert name in text
    assert page.locator("script").count() == 0
