"""The page in a browser without a network: it sorts, filters, overlays, speaks two languages, and asks for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.fake_study import full_study
from tests.support.pages import BROWSER, DRIVER, browser, make_page
from tests.support.project import REPOSITORY

pytestmark = pytest.mark.skipif(
    BROWSER is None or DRIVER is None,
    reason="no Chromium with its driver; tests/page/install.sh installs them",
)
LOAD = (
    "const t = performance.getEntriesByType('navigation')[0]; return t.loadEventEnd - t.startTime"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    claims = yaml.safe_load((REPOSITORY / "config/claims.yaml").read_text(encoding="utf-8"))
    study = full_study(seeds=tuple(range(10)), claims=claims)
    return make_page(tmp_path_factory.mktemp("page") / "root", study).as_uri()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser(1280) as driver:
        yield driver


@pytest.fixture
def shown(page: str, chromium: Any) -> Any:
    """Open the page anew, in English and light."""
    chromium.get(page)
    if chromium.execute_script("return state.dark"):
        chromium.find_element("id", "theme").click()
    return chromium


def cells(driver: Any, table: str, column: str) -> list[str]:
    """Return what a column of a table shows, from the top."""
    found: list[str] = driver.execute_script(
        """const table = document.querySelector(arguments[0] + ' table');
        const at = [...table.querySelectorAll('thead button')].findIndex((b) => b.dataset.sort === arguments[1]);
        return [...table.querySelectorAll('tbody tr')].map((row) => row.children[at].textContent);""",
        table,
        column,
    )
    return found


def press(driver: Any, selector: str) -> None:
    # As the keyboard does it: what can be reached and pressed is a real control.
    driver.find_element("css selector", selector).send_keys("\n")


def tick(driver: Any, selector: str) -> None:
    driver.execute_script("document.querySelector(arguments[0]).click()", selector)


def choose(driver: Any, box: str, value: str) -> None:
    driver.execute_script(
        "const box = document.getElementById(arguments[0]); box.value = arguments[1];"
        "box.dispatchEvent(new Event('change'))",
        box,
        value,
    )


def traces(driver: Any, figure: str) -> list[dict[str, Any]]:
    driver.execute_script("drawFiguresOf(arguments[0])", figure)
    found: list[dict[str, Any]] = driver.execute_script(
        "return document.getElementById('figure-' + arguments[0]).data.map((t) => ({"
        "name: t.name ?? null, x: [...t.x], y: [...t.y], mode: t.mode}))",
        figure,
    )
    return found


def test_it_opens_without_errors_and_asks_for_nothing(
    page: str, chromium: Any, record_property: Any
) -> None:
    chromium.get_log("performance")
    chromium.get(page)
    chromium.execute_script("Object.keys(SECTIONS).forEach(drawFiguresOf)")
    errors = [entry for entry in chromium.get_log("browser") if entry["level"] != "INFO"]
    assert not errors
    events = (json.loads(entry["message"])["message"] for entry in chromium.get_log("performance"))
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert sum(url.startswith("file:") for url in asked) == 1
    milliseconds = chromium.execute_script(LOAD)
    print(f"18 variants with 10 seeds: loaded in {milliseconds:.0f} ms")
    record_property("load_ms", milliseconds)


def test_a_table_sorts_by_any_column_with_the_keyboard(shown: Any) -> None:
    first = cells(shown, "#table-models", "params_m")
    press(shown, "#table-models [data-sort=params_m]")
    down = [float(text.replace(",", "")) for text in cells(shown, "#table-models", "params_m")]
    assert down == sorted(down, reverse=True) and len(down) == len(first) == 18
    press(shown, "#table-models [data-sort=params_m]")
    up = [float(text.replace(",", "")) for text in cells(shown, "#table-models", "params_m")]
    assert up == sorted(up)
    head = shown.find_element("css selector", "#table-models th[aria-sort=ascending]")
    assert head.text.startswith("Parameters")
    # The control that was pressed keeps the focus, though the table was drawn anew.
    assert shown.switch_to.active_element.get_attribute("data-sort") == "params_m"


def test_a_table_filters_and_its_columns_are_chosen(shown: Any) -> None:
    shown.find_element("id", "table-models-filter").send_keys("ghost")
    names = cells(shown, "#table-models", "variant")
    assert len(names) == 3 and all("ghost" in name for name in names)
    assert "3 of 18 rows" in shown.find_element("id", "table-models").text
    hidden = "#table-models thead [data-sort=loss_mean]"
    assert not shown.find_elements("css selector", hidden)
    tick(shown, "#table-models [data-column=loss_mean]")
    assert shown.find_elements("css selector", hidden)
    tick(shown, "#table-models [data-column=family]")
    assert not shown.find_elements("css selector", "#table-models thead [data-sort=family]")


def test_the_scatter_has_any_axes_and_a_front(shown: Any) -> None:
    for x in ("params_m", "gpu_hours", "latency_ms"):
        choose(shown, "scatter-x", x)
        front, *families = traces(shown, "scatter")
        points = sorted(
            (a, b) for each in families for a, b in zip(each["x"], each["y"], strict=True)
        )
        assert len(points) == 18
        best, expected = -1.0, []
        for cost, top1 in points:
            if top1 > best:
                best = top1
                expected.append((cost, top1))
        assert list(zip(front["x"], front["y"], strict=True)) == expected
    choose(shown, "scatter-y", "ece_mean")
    front, *families = traces(shown, "scatter")
    # Less is better on both axes.
    assert min(front["y"]) == min(y for each in families for y in each["y"])
    assert front["y"] == sorted(front["y"], reverse=True)


def test_learning_curves_are_overlaid_as_chosen(shown: Any) -> None:
    tick(shown, "#curves-none")
    assert traces(shown, "curves") == []
    for name in ("resnet_20", "mlp_mixer_b16"):
        tick(shown, f"[data-curve={name}]")
    drawn = {trace["name"]: trace for trace in traces(shown, "curves") if trace["name"]}
    assert set(drawn) == {"resnet_20", "mlp_mixer_b16"}
    assert len(drawn["resnet_20"]["x"]) == 200
    mean = shown.execute_script(
        "const all = DATA.curves.resnet_20.val_top1; return all.reduce((s, e) => s + e[199], 0) / all.length"
    )
    assert drawn["resnet_20"]["y"][-1] == pytest.approx(mean)
    choose(shown, "curve-figure", "train_loss")
    drawn = {trace["name"]: trace for trace in traces(shown, "curves") if trace["name"]}
    assert drawn["resnet_20"]["y"][0] > drawn["resnet_20"]["y"][-1]


def test_the_matrix_says_what_the_pairs_say_in_both_directions(shown: Any) -> None:
    found = shown.execute_script(
        """const table = document.querySelector('.matrix');
        const names = [...table.querySelectorAll('thead th')].map((e) => e.textContent);
        return [...table.querySelectorAll('tbody tr')].map((row, i) =>
            [...row.querySelectorAll('td')].map((cell, j) => [names[i], names[j], cell.className])).flat()"""
    )
    verdicts = {(a, b): verdict.replace("-", " ") for a, b, verdict in found}
    pairs = shown.execute_script("return records('pairwise')")
    assert len(pairs) == 153
    turned = {"better": "worse", "worse": "better"}
    for pair in pairs:
        a, b, verdict = pair["variant_a"], pair["variant_b"], pair["verdict"]
        assert verdicts[a, b] == verdict
        assert verdicts[b, a] == turned.get(verdict, verdict)


def test_a_number_says_where_it_comes_from(shown: Any) -> None:
    shown.execute_script("document.querySelector('#table-models td button.cell').click()")
    dialog = shown.find_element("id", "origin")
    assert dialog.get_attribute("open") is not None
    for part in (
        "comparison/models.csv",
        "variant=resnest50d",
        "resnest50d/seed0",
        "0123456789ab × 10",
    ):
        assert part in dialog.text
    press(shown, "#origin button")
    assert dialog.get_attribute("open") is None


def test_the_other_language_and_the_dark(shown: Any) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = shown.execute_script(ground)
    press(shown, "#theme")
    assert shown.execute_script(ground) != light
    assert shown.find_element("id", "theme").get_attribute("aria-pressed") == "true"
    press(shown, "#language")
    assert shown.find_element("css selector", "html").get_attribute("lang") == "zh-CN"
    text = shown.find_element("css selector", "body").text
    for word in ("变体", "学习曲线", "尚无定论", "原报告"):
        assert word in text
    for word in ("undefined", "NaN", "{", "null"):
        assert word not in text
    # No English sentence is left: longer runs of words are names, files and devices.
    assert "Learning curves" not in text and "cannot tell" not in text


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(page: str, width: int) -> None:
    with browser(width) as driver:
        driver.get(page)
        driver.execute_script("Object.keys(SECTIONS).forEach(drawFiguresOf)")
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        unnamed = driver.execute_script(
            """const all = document.querySelectorAll('button, select, input, img, [role=region], [role=img]');
            const name = (e) => e.textContent.trim() || e.getAttribute('aria-label') || e.alt || e.closest('label');
            return [...all].filter((e) => !name(e) && !e.closest('.js-plotly-plot'))
                .map((e) => e.outerHTML.slice(0, 80))"""
        )
        assert not unnamed
