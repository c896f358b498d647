"""The report in a real browser: it loads from disk, asks the network for nothing and fits a phone."""

from pathlib import Path

import pytest
from publish.judged import made_up as judged
from publish.reconciled import made_up

from tenure.publish.quality import Quality, quality_page
from tenure.publish.reconciliation import reconciliation_page
from tenure.publish.report import report

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: install it to test the report in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


def looked_at(browser, file, width):
    """What a browser asks for and complains of, how wide the page is, and how many drawings it has."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    wide = page.evaluate("document.documentElement.scrollWidth")
    drawn = page.locator("figure svg").count()
    page.close()
    return [url for url in asked if not url.startswith("data:")], complaints, wide, drawn


@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_loads_alone_without_complaint_and_fits(browser, make_input, tmp_path, width):
    file = tmp_path / "report.html"
    file.write_text(report(make_input(ledgers=(made_up(),), data_quality=judged())))
    asked, complaints, wide, drawn = looked_at(browser, file, width)
    assert (asked, complaints, drawn) == ([file.as_uri()], [], 10)
    assert wide <= width


@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_of_the_ledger_loads_alone_without_complaint_and_fits(browser, tmp_path, width):
    file = tmp_path / "reconciliation.html"
    file.write_text(reconciliation_page("Bank", [made_up()]))
    asked, complaints, wide, _ = looked_at(browser, file, width)
    assert (asked, complaints) == ([file.as_uri()], [])
    assert wide <= width


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("quality", [judged(), judged(stopped="failed", stopping=("payments",)), Quality()])
def test_the_page_of_the_data_loads_alone_without_complaint_and_fits(browser, tmp_path, width, quality):
    file = tmp_path / "quality.html"
    file.write_text(quality_page("Bank", quality))
    asked, complaints, wide, _ = looked_at(browser, file, width)
    assert (asked, complaints) == ([file.as_uri()], [])
    assert wide <= width
