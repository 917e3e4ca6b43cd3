"""The report, one HTML file with the tables and figures of a run, as a browser shows it.

Opened by Debian's Chromium, which nothing downloads; `.ci/run` installs it, and requires these
tests by SSLENS_REQUIRE_BROWSER.
"""

import importlib.util
import json
import os
from pathlib import Path

import pandas as pd
import pytest
from running import run

# the run itself, where this file is the first to ask for it
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")


@pytest.fixture(scope="module")
def report(finished, repository, tmp_path_factory) -> Path:
    page = tmp_path_factory.mktemp("report") / "report.html"
    run(finished, "--report", str(page), repository=repository)
    return page


def missing() -> str:
    """What a test with a browser needs and this machine does not have."""
    programs = [str(path) for path in (CHROMIUM, DRIVER) if not path.is_file()]
    modules = [name for name in ("selenium",) if importlib.util.find_spec(name) is None]
    return f"there is no {', no '.join(programs + modules)}" if programs or modules else ""


@pytest.fixture
def browser(monkeypatch):
    if reason := missing():
        if os.environ.get("SSLENS_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver

    monkeypatch.setenv("SE_OFFLINE", "true")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(str(DRIVER))
    driver = webdriver.Chrome(options=options, service=service)
    driver.implicitly_wait(10)
    yield driver
    driver.quit()


def errors(browser) -> list[str]:
    entries = browser.get_log("browser")
    return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]


def texts(table) -> list[list[str]]:
    """What can be seen of the cells of a table's body, one list per row."""
    rows = table.find_elements("css selector", "tbody tr")
    return [[c.text for c in row.find_elements("css selector", "th, td")] for row in rows]


def published(comparison: Path) -> list[list[str]]:
    """The first table of `auc_table.md`, without what makes it bold."""
    lines = (comparison / "auc_table.md").read_text().partition("\n\n")[0].splitlines()[2:]
    return [[c.strip().replace("**", "") for c in line.strip("|").split("|")] for line in lines]


def test_a_report_holds_tables_and_figures(report):
    text = report.read_text(encoding="utf-8")
    for name in ("auc_table.html", "probe_table.html", "roc_model_2.png", "gallery_model_2.png"):
        assert f"results/comparison/{name}" in text
    assert '"results/comparison/auc_table.md":' not in text  # which a browser would save


@pytest.mark.browser
def test_the_landing_page_shows_the_table_and_a_roc_figure(report, finished, browser):
    browser.get(report.as_uri())
    landing = browser.find_element("css selector", ".prose")
    table = landing.find_element("tag name", "table")
    assert texts(table) == published(finished / "results/comparison")
    image = landing.find_element("tag name", "img")
    assert int(image.get_property("naturalWidth")) > 500
    assert browser.find_element("css selector", ".prose p").location["y"] >= 0, "cut off at the top"
    assert "System Message" not in landing.text  # of docutils
    assert errors(browser) == []


@pytest.mark.browser
def test_every_page_and_figure_of_every_category_is_shown(report, browser):
    browser.get(report.as_uri())
    categories = browser.execute_script("return categories")
    assert sum(len(part) for category in categories.values() for part in category.values()) > 10
    for category, parts in categories.items():
        browser.find_element("link text", category).click()
        paths = {path for part in parts.values() for path in part}
        rows = browser.find_elements("css selector", "nav tbody tr")
        assert {row.find_element("tag name", "td").text for row in rows} == paths
        for number in range(len(rows)):
            row = browser.find_elements("css selector", "nav tbody tr")[number]
            path = Path(row.find_element("tag name", "td").text)
            if path.suffix not in (".png", ".html"):
                continue  # which the browser saves
            row.find_element("tag name", "a").click()
            if path.suffix == ".png":
                browser.find_element("css selector", "img[src^='data:image/png']")
                continue
            browser.switch_to.frame(browser.find_element("tag name", "iframe"))
            assert browser.find_element("tag name", "td").text, path
            assert errors(browser) == []
            browser.switch_to.default_content()
        browser.find_element("link text", "Results").click()
    assert errors(browser) == []


@pytest.mark.browser
def test_the_table_sorts_by_a_click_and_has_full_precision(finished, browser):
    comparison = finished / "results/comparison"
    browser.get((comparison / "auc_table.html").as_uri())
    table = browser.find_element("tag name", "table")
    expected = published(comparison)
    assert texts(table) == expected
    summary = pd.read_csv(comparison / "auc_summary.csv").query("protocol == 'fine_tune'")
    order = list(summary.sort_values("auc_macro", ascending=False)["title"])
    head = table.find_elements("tag name", "th")[1]
    for direction, titles in (("descending", order), ("ascending", order[::-1])):
        head.find_element("tag name", "button").click()
        assert head.get_attribute("aria-sort") == direction
        assert [row[0] for row in texts(table)] == titles
    assert sorted(texts(table)) == sorted(expected)
    browser.find_element("id", "exact").click()
    shown = {row[0]: row[1] for row in texts(table)}
    for row in summary.to_dict("records"):
        assert f"auc_macro {json.dumps(row['auc_macro'])}" in shown[row["title"]]
    assert errors(browser) == []
