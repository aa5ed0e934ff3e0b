"""Pages of made-up studies, and a browser to look at them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from bakeoff.page.build import write_page
from tests.support.analysis import make
from tests.support.fake_study import TITLES, FakeStudy, generator

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
DRIVER = shutil.which("chromedriver")


def make_page(root: Path, study: FakeStudy) -> Path:
    """Write a study with its tables, and return its page."""
    make(root, study)
    images = generator("test images").integers(0, 256, (study.images, 3, 32, 32), dtype=np.uint8)
    np.save(root / "data" / "test_images.npy", images)
    write_page(page_spec(study), root)
    return root / "report" / "index.html"


def page_spec(study: FakeStudy) -> dict[str, Any]:
    """Return what `page_spec` of the package returns for a real study."""
    everyone = {variant.name: variant for variant in (*study.variants, *study.arms)}
    return {
        "study": study.header,
        "data": TITLES[study.dataset],
        "margin": 1.0,
        "ablations": {
            name: {"en": f"Ablation {name}", "zh": f"消融 {name}"} for name in study.ablations
        },
        "arms": {
            name: {arm: everyone[variant].runs_of for arm, variant in arms}
            for name, arms in study.ablations.items()
        },
        "variants": {variant.name: variant.runs_of for variant in study.variants},
        "runs": {
            variant.name: list(variant.seeds)
            for variant in everyone.values()
            if variant.runs_of == variant.name
        },
        "family": {variant.name: variant.family for variant in everyone.values()},
        "display": {variant.name: variant.display or variant.name for variant in everyone.values()},
    }


@contextmanager
def browser(width: int, height: int = 1400, arguments: Sequence[str] = ()) -> Iterator[Any]:
    """Start headless Chromium without a network, with windows of `width` pixels."""
    options = Options()
    options.binary_location = str(BROWSER)
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        # All names lead nowhere.
        *("--host-resolver-rules=MAP * ~NOTFOUND", "--lang=en", f"--window-size={width},{height}"),
        *arguments,
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        # Windows are no narrower than 500 pixels; what is shown in them can be.
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        yield driver
    finally:
        driver.quit()
