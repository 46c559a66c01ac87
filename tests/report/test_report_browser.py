"""The report in a real browser: quiet, self-contained, accessible, filterable, and
nothing clipped or overlapping.

Needs Chromium and its driver; without them the tests are skipped and say so.
Screenshots of both widths and both colour schemes land in reports/screenshots/.
"""

import base64
import dataclasses
import json
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from specfair.report import render_html, render_index
from tests import report_samples

CHROMIUM, DRIVER = (
    shutil.which("chromium") or shutil.which("google-chrome"),
    shutil.which("chromedriver"),
)
SCREENSHOTS = Path(__file__).parents[2] / "reports" / "screenshots"
SLICE = 6000  # pixels; browsers cannot draw a page of any height at once
VIEWS = [(1400, "light"), (1400, "dark"), (400, "light"), (400, "dark")]

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="no Chromium with chromedriver; install both",
    ),
    pytest.mark.xdist_group("browser"),
]

CLIPPED_OR_OVERLAPPING = """
return [...document.querySelectorAll(".panel > svg")].flatMap((drawing) => {
  const frame = drawing.getBoundingClientRect(), bad = [], slack = 1.5;
  const boxes = [...drawing.querySelectorAll("text")].map((t) => [t.textContent, t.getBoundingClientRect()]);
  boxes.forEach(([words, b], i) => {
    if (b.left < frame.left - slack || b.right > frame.right + slack || b.bottom > frame.bottom + slack
        || b.top < frame.top - slack) bad.push(`clipped: ${words} in ${drawing.getAttribute("aria-label")}`);
    for (const [other, o] of boxes.slice(i + 1))
      if (b.left + slack < o.right && o.left + slack < b.right && b.top + 3 < o.bottom && o.top + 3 < b.bottom)
        bad.push(`overlap: ${words} / ${other} in ${drawing.getAttribute("aria-label")}`);
  });
  return bad;
});
"""


TOO_WIDE = """
return [...document.querySelectorAll(".panel > *, .tables > *, .card > *")].filter((part) =>
  part.getBoundingClientRect().right > part.parentElement.getBoundingClientRect().right).length;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = Options()
    options.binary_location = CHROMIUM or ""
    profile = tmp_path_factory.mktemp("profile")
    for flag in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-background-networking",
        "hide-scrollbars",
    ):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("report") / "report.html"
    place.write_text(render_html(report_samples.full()), encoding="utf-8")
    return place.as_uri()


def show(
    browser: webdriver.Chrome, address: str, *, width: int = 1400, scheme: str = "light"
) -> None:
    still = {"name": "prefers-reduced-motion", "value": "reduce"}
    scheme_of = {"features": [{"name": "prefers-color-scheme", "value": scheme}, still]}
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme_of)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(address)


def requests(browser: webdriver.Chrome) -> list[str]:
    messages = [
        json.loads(entry["message"])["message"]
        for entry in browser.get_log("performance")
    ]
    return [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]


def shoot(browser: webdriver.Chrome, name: str, width: int) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    height = browser.execute_script("return document.documentElement.scrollHeight")
    parts = {
        "top": (0, 1000),
        **{str(i): (y, SLICE) for i, y in enumerate(range(0, height, SLICE))},
    }
    for part, (top, tall) in parts.items():
        clip = {
            "x": 0,
            "y": top,
            "width": width,
            "height": min(tall, height - top),
            "scale": 1,
        }
        asked = {"captureBeyondViewport": True, "clip": clip, "format": "png"}
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", asked)
        (SCREENSHOTS / f"{name}-{part}.png").write_bytes(base64.b64decode(shot["data"]))


def violations(browser: webdriver.Chrome) -> list[str]:
    browser.set_script_timeout(120)
    source = (
        resources.files("selenium_axe_python")
        .joinpath("axe-core", "axe.min.js")
        .read_text(encoding="utf-8")
    )
    browser.execute_script(source)
    found = browser.execute_async_script(
        "const done = arguments[0]; "
        "axe.run({resultTypes: ['violations']}).then((r) => "
        "done(r.violations));"
    )
    return [
        f"{v['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for v in found
        for node in v["nodes"][:3]
    ]


def pick_last_stage(browser: webdriver.Chrome) -> None:
    """Of the distributions, by the page's own control."""
    panels = browser.find_elements(By.CSS_SELECTOR, "#section-distributions .panel")
    labels = browser.find_elements(By.CSS_SELECTOR, "#section-distributions label")
    assert [panel.is_displayed() for panel in panels] == [True, *[False] * 5]
    labels[-1].click()
    assert [panel.is_displayed() for panel in panels] == [*[False] * 5, True]


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_quiet_whole_and_legible(
    browser: webdriver.Chrome, report: str, width: int, scheme: str
) -> None:
    show(browser, report, width=width, scheme=scheme)
    assert requests(browser) == [report]
    assert browser.get_log("browser") == []
    drawings = browser.find_elements(By.CSS_SELECTOR, ".panel > svg")
    assert len(drawings) > 40
    shown = [drawing for drawing in drawings if drawing.is_displayed()]
    # of the distributions one stage at a time, of the texts one dataset
    assert len(drawings) - len(shown) == 5 + 4
    assert all(drawing.size["height"] > 50 for drawing in shown)
    assert (
        browser.execute_script("return document.documentElement.scrollWidth") <= width
    )
    assert "\n".join(browser.execute_script(CLIPPED_OR_OVERLAPPING)) == ""
    pick_last_stage(browser)
    assert "\n".join(browser.execute_script(CLIPPED_OR_OVERLAPPING)) == ""
    shoot(browser, f"report-{width}-{scheme}", width)


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
def test_two_hundred_groups_are_legible(
    browser: webdriver.Chrome, tmp_path: Path, width: int, scheme: str
) -> None:
    (tmp_path / "many.html").write_text(
        render_html(report_samples.crowded()), encoding="utf-8"
    )
    show(browser, (tmp_path / "many.html").as_uri(), width=width, scheme=scheme)
    assert (
        browser.execute_script("return document.documentElement.scrollWidth") <= width
    )
    assert "\n".join(browser.execute_script(CLIPPED_OR_OVERLAPPING)) == ""
    heights = [
        drawing.size["height"]
        for drawing in browser.find_elements(By.CSS_SELECTOR, ".panel > svg")
    ]
    # distributions are drawn at 608 pixels; with a row for each group: 19,000
    assert max(heights) < 1900
    shoot(browser, f"many-{width}-{scheme}", width)
    assert violations(browser) == []


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
def test_accessible_with_everything_open(
    browser: webdriver.Chrome, tmp_path: Path, width: int, scheme: str
) -> None:
    (tmp_path / "small.html").write_text(
        render_html(report_samples.small()), encoding="utf-8"
    )
    show(browser, (tmp_path / "small.html").as_uri(), width=width, scheme=scheme)
    browser.execute_script(
        'document.querySelectorAll("details").forEach((box) => { box.open = true; })'
    )
    assert browser.execute_script(TOO_WIDE) == 0
    assert violations(browser) == []


def test_filter_shows_one_dataset_and_one_group(
    browser: webdriver.Chrome, report: str
) -> None:
    show(browser, report)
    Select(browser.find_element(By.NAME, "dataset")).select_by_visible_text("imdb")
    panels = browser.find_elements(By.CSS_SELECTOR, "#section-speed .panel")
    assert [panel.is_displayed() for panel in panels] == [
        False,
        True,
        False,
        False,
        False,
    ]
    Select(browser.find_element(By.NAME, "group")).select_by_visible_text("queer")
    shown = browser.execute_script(
        "return "
        '[...document.querySelectorAll(".checks tbody tr:not(.away)")].map((r) '
        "=> r.id)"
    )
    assert sorted(shown) == ["imdb-queer"]
    assert browser.find_element(By.TAG_NAME, "output").text == "1 of 55 checks"
    browser.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    # the page looks at its form once that is reset
    WebDriverWait(browser, 10).until(lambda _: all(p.is_displayed() for p in panels))


def test_deep_link_opens_one_case(browser: webdriver.Chrome, report: str) -> None:
    show(browser, f"{report}#sst2-queer")
    card = browser.find_element(By.ID, "sst2-queer")
    assert "found" in (card.get_attribute("class") or "").split()
    top = browser.execute_script(
        "return arguments[0].getBoundingClientRect().top", card
    )
    assert -200 < top < 1000
    assert not browser.find_element(By.ID, "sst2-male").is_displayed()
    assert (
        Select(browser.find_element(By.NAME, "group")).first_selected_option.text
        == "queer"
    )
    browser.execute_script('location.hash = "imdb-queer"')
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    assert browser.find_element(By.ID, "imdb-queer").is_displayed()
    assert browser.get_log("browser") == []


def test_tables_sort_by_figure(browser: webdriver.Chrome, report: str) -> None:
    show(browser, report)
    browser.execute_script(
        'document.querySelector("#section-speed details").open = true'
    )
    table = browser.find_element(By.CSS_SELECTOR, "#section-speed table")
    change = table.find_elements(By.CSS_SELECTOR, "th button")[5]

    def column() -> list[float]:
        cells = table.find_elements(By.CSS_SELECTOR, "td:nth-child(6)")
        return [float(cell.text.replace("\u2212", "-")) for cell in cells]

    change.click()
    assert column() == sorted(column())
    change.click()
    assert column() == sorted(column(), reverse=True)


def test_everything_but_the_filter_works_without_script(
    browser: webdriver.Chrome, report: str
) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, report)
        assert not browser.find_element(By.CSS_SELECTOR, "form.filter").is_displayed()
        details = browser.find_element(By.CSS_SELECTOR, "#section-speed details")
        details.find_element(By.TAG_NAME, "summary").click()
        assert details.find_element(By.TAG_NAME, "table").is_displayed()
        pick_last_stage(browser)
    finally:
        browser.execute_cdp_cmd(
            "Emulation.setScriptExecutionDisabled", {"value": False}
        )


def test_prints_without_controls(browser: webdriver.Chrome, report: str) -> None:
    show(browser, report)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not browser.find_element(By.CSS_SELECTOR, "nav.contents").is_displayed()
    height = (
        "return document.querySelector('#section-checks "
        "table.checks').getBoundingClientRect().height"
    )
    assert browser.execute_script(height) > 500
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_index_is_quiet_and_accessible(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    dates = ("2026-03-01", "2026-03-02", "2026-03-03")
    runs = [
        dataclasses.replace(report_samples.full(i), created=date)
        for i, date in enumerate(dates)
    ]
    (tmp_path / "index.html").write_text(render_index(runs), encoding="utf-8")
    show(browser, (tmp_path / "index.html").as_uri(), width=400)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 400
    assert "\n".join(browser.execute_script(CLIPPED_OR_OVERLAPPING)) == ""
    shoot(browser, "index-400-light", 400)
    assert violations(browser) == []
