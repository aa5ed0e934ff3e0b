"""A large made-up study with its tables, and a single run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support import fake_study
from tests.support.analysis import make, variant
from tests.support.fake_study import FakeStudy
from tests.support.project import REPOSITORY


@pytest.fixture(scope="package")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    claims = yaml.safe_load((REPOSITORY / "config/claims.yaml").read_text(encoding="utf-8"))
    study = fake_study.full_study(claims=claims, arm_seeds=(0, 1, 2, 3), epochs=120)
    return make(tmp_path_factory.mktemp("full"), study)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    study = FakeStudy(variants=(variant("net", 60.0),), epochs=4)
    return fake_study.write_study(tmp_path, study) / "runs/net/seed1"
