"""A small study on a real Slurm: the GPUs of each job, and whatever may happen to a job or to Snakemake."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest
import yaml
from cluster import Cluster, Job, jobs, run, wait_for, why_not
from training import Run, held, step_after

from conftest import REPOSITORY, Project, make_project, project_environment

pytestmark = pytest.mark.slurm

GPUS_PER_RUN = 2
EPOCHS = 40
STUDY: dict[str, Any] = {
    "name": "cluster",
    "data": {
        "kind": "shapes",
        "shapes": {"train_images": 300, "test_images": 100, "seed": 0},
        "validation": {"images": 100, "seed": 0},
    },
    "seeds": {"comparison": [0, 1], "ablations": [0]},
    "variants": ["resnet_20"],
    "ablations": [],
    "gpus": GPUS_PER_RUN,
    "recipe_overrides": {
        "epochs": EPOCHS,
        "global_batch": 50,
        "micro_batch": 25,
        "warmup_epochs": 0.5,
    },
    "variant_overrides": {"resnet_20": {"args": {"depth": 8}}},
}
# The profile as it is, but for waiting less where nothing has to be waited for.
HURRY = ("--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "5")
MODELS = "results/comparison/models.csv"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    started = Cluster(tmp_path_factory.mktemp("cluster") / "bakeoff-slurm")
    try:
        started.start()
        yield started
    finally:
        started.stop()


def snakemake(project: Project, *arguments: str) -> list[str]:
    return project.command("--profile", "profiles/slurm", *HURRY, *arguments)


def environment() -> dict[str, str]:
    """Return an environment in which a job computes on the CPU, in as many processes as it has GPUs."""
    return {**project_environment(), "BAKEOFF_DEVICE": "cpu"}


@dataclass(frozen=True)
class Finished:
    """A snakemake that has ended."""

    code: int
    output: str


def finish(project: Project, *arguments: str) -> Finished:
    """Run snakemake to its end."""
    done = subprocess.run(
        snakemake(project, *arguments),
        cwd=project.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Finished(done.returncode, done.stdout)


@contextmanager
def running(project: Project, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run snakemake beside the block."""
    output = project.folder / "snakemake.out"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            snakemake(project, *arguments),
            cwd=project.folder,
            env=environment(),
            stdout=stream,
            stderr=stream,
        )
        try:
            yield process
        except BaseException as error:
            error.add_note(output.read_text()[-5000:])
            raise
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Stop:
    """One way in which a run was stopped, and what became of it."""

    job: Job
    """As it was while the run was training."""
    log: str
    """What the run had logged by the time it had stopped."""
    resumed_at: int | None
    """The step from which the next attempt went on."""

    @property
    def at(self) -> int | None:
        """The optimizer step at which the run saved and stopped."""
        return step_after("stopped at step", self.log)


@dataclass(frozen=True)
class Story:
    """What was seen while a study of two runs was computed."""

    project: Project
    runs: tuple[Run, Run]
    at_once: tuple[Job, Job]
    """The jobs of both runs while both were training."""
    stops: dict[str, Stop]
    left_alone: Run
    """The run whose job ended by itself when Snakemake was dead."""
    jobs_left: list[int]
    """The jobs that were still running then."""
    locked: Finished
    refused: Finished
    """The first attempt to go on, while those jobs were there."""
    result: Finished
    """The attempt after that."""


@pytest.fixture(scope="module")
def story(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Compute a comparison of two runs, and disturb it in every way.

    The job of the first is cancelled, that of the second reaches its time limit. After both are resumed, one of them
    is preempted. When it is back, Snakemake itself is killed. One of the jobs that it leaves behind ends by itself,
    the other one is cancelled. Another Snakemake finishes the study.
    """
    project = make_project(tmp_path_factory.mktemp("slurm") / "project", STUDY)
    runs = one, other = Run(project.folder, 0), Run(project.folder, 1)
    with running(project, "--", MODELS) as snakemake:
        with held("epoch 1/", *runs):
            at_once = one.job(), other.job()
            run("scancel", str(one.job().number))
            run("scontrol", "update", f"JobId={other.job().number}", "TimeLimit=2")
            killed_log = end(one, signal.SIGTERM)
            # Slurm looks at time limits twice a minute.
            limited_log = end(other, signal.SIGUSR1)
        with held("resumed at step", *runs):
            killed = Stop(at_once[0], killed_log, one.resumed_at())
            limited = Stop(at_once[1], limited_log, other.resumed_at())
            victim, victims_job, preempted_log = preempt(*runs)
            at = step_after("stopped at step", preempted_log)
            with held(f"resumed at step {at}", victim):
                preempted = Stop(victims_job, preempted_log, victim.resumed_at())
                (orphan,) = {one, other} - {victim}
                orphans_job = orphan.job()
                snakemake.kill()
                snakemake.wait()
                locked = finish(project, MODELS)
                assert finish(project, "--unlock").code == 0
                refused = finish(project, MODELS)
                left = [job.number for job in jobs() if job.state == "RUNNING"]
                run("scancel", str(orphans_job.number))
                orphaned_log = end(orphan, signal.SIGTERM)
    wait_for(lambda: not run("squeue", "--noheader"), 120)
    result = finish(project, MODELS)
    orphaned = Stop(orphans_job, orphaned_log, orphan.resumed_at())
    stops = {"killed": killed, "limited": limited, "preempted": preempted, "orphaned": orphaned}
    return Story(project, runs, at_once, stops, victim, left, locked, refused, result)


def end(held_run: Run, number: signal.Signals) -> str:
    """Wait until a signal has reached every process of a run that is held, let it go on, and return its log."""
    wait_for(lambda: held_run.told(number), 60)
    held_run.release()
    wait_for(lambda: "stopped at step" in held_run.log(), 30)
    return held_run.log()


def preempt(*runs: Run) -> tuple[Run, Job, str]:
    """Give the GPUs of one run to a more important job; return that run, its job, and its log when it had stopped."""
    before = {each: each.job() for each in runs}
    # Four are free; Slurm chooses who has to give the other two.
    run("sbatch", "--partition=urgent", "--gpus=6", "--output=/dev/null", "--wrap=true")
    wait_for(lambda: any(each.told(signal.SIGTERM) for each in runs), 30)
    (victim,) = [each for each in runs if each.told(signal.SIGTERM)]
    log = end(victim, signal.SIGTERM)
    wait_for(lambda: victim.job().state == "PENDING", 60)
    # What Slurm has put back into the queue waits there for two minutes.
    run("scontrol", "update", f"JobId={victim.job().number}", "StartTime=now")
    return victim, before[victim], log


# --- what each job was given


def test_each_job_has_the_gpus_that_its_run_asked_for(story: Story) -> None:
    devices = [gpus_of(job) for job in story.at_once]
    assert all(job.fields["TresPerJob"] == f"gres:gpu:v100:{GPUS_PER_RUN}" for job in story.at_once)
    assert all(len(gpus) == GPUS_PER_RUN for gpus in devices)
    assert not set(devices[0]) & set(devices[1])
    (profile,) = [job for job in jobs() if job.rule.startswith("profile_model")]
    assert profile.fields["TresPerJob"] == "gres:gpu:v100:1"


def test_each_process_sees_the_gpus_of_its_job(story: Story) -> None:
    for name, job in zip(("killed", "limited"), story.at_once, strict=True):
        assert f"CUDA_VISIBLE_DEVICES={','.join(gpus_of(job))}\n" in story.stops[name].log
    for each in story.runs:
        provenance = json.loads((each.folder / "provenance.json").read_text())
        assert provenance["allocation"]["slurm_job"] == str(each.job().number)
        seen = provenance["allocation"]["visible_devices"]
        assert f"CUDA_VISIBLE_DEVICES={seen}\n" in each.log()
        assert len(seen.split(",")) == GPUS_PER_RUN
        metrics = json.loads((each.folder / "metrics.json").read_text())
        # The CPU in the place of the GPUs, and no GPU-hours that were not spent.
        assert (metrics["processes"], metrics["gpu_hours"]) == (GPUS_PER_RUN, 0)


def test_each_job_has_the_processors_the_memory_and_the_place_of_the_profile(story: Story) -> None:
    profile = yaml.safe_load((REPOSITORY / "profiles" / "slurm" / "config.yaml").read_text())
    cpus = GPUS_PER_RUN * profile["set-resources"]["train"]["cpus_per_gpu"]
    memory = cpus * profile["default-resources"]["mem_mb_per_cpu"]
    for job in story.at_once:
        assert job.fields["TRES"].startswith(f"cpu={cpus},mem={memory}M,node=1")
        assert job.fields["Partition"] == profile["default-resources"]["slurm_partition"]
        assert job.fields["Requeue"] == "1"


def test_only_training_and_measuring_take_a_place_in_the_queue(story: Story) -> None:
    rules = {job.rule.split("_wildcards_")[0] for job in jobs() if job.rule}
    assert rules == {"train", "profile_model"}


# --- what became of those that were stopped


@pytest.mark.parametrize(
    ("what", "by", "state"),
    [
        ("killed", "SIGTERM", "CANCELLED"),
        ("limited", "SIGUSR1", "FAILED"),
        ("preempted", "SIGTERM", "COMPLETED"),
        ("orphaned", "SIGTERM", "CANCELLED"),
    ],
)
def test_a_run_goes_on_where_it_was_stopped(story: Story, what: str, by: str, state: str) -> None:
    stop = story.stops[what]
    assert f"stopped at step {stop.at} by {by}" in stop.log
    assert stop.at
    assert stop.resumed_at == stop.at
    assert next(job.state for job in jobs() if job.number == stop.job.number) == state


def test_a_preempted_job_comes_back_as_the_same_job(story: Story) -> None:
    (again,) = [job for job in jobs() if job.number == story.stops["preempted"].job.number]
    assert again.fields["Restarts"] == "1"


def test_every_run_has_every_epoch_once(story: Story) -> None:
    for each in story.runs:
        history = pd.read_csv(each.folder / "history.csv")
        assert list(history["epoch"]) == list(range(1, EPOCHS + 1))


# --- what became of the study when Snakemake was killed


def test_two_snakemakes_do_not_write_the_same_files(story: Story) -> None:
    assert story.locked.code != 0
    assert "--unlock" in story.locked.output
    assert story.refused.code != 0
    assert "still in Slurm's queue" in story.refused.output
    scancel = re.search(r"scancel ([\d ]+)", story.refused.output)
    assert scancel
    # They are named, and there are no others.
    assert sorted(map(int, scancel[1].split())) == story.jobs_left
    assert len(story.jobs_left) == len(story.runs)


def test_the_next_snakemake_finishes_the_study_and_repeats_nothing(story: Story) -> None:
    assert story.result.code == 0, story.result.output
    assert (story.project.folder / MODELS).exists()
    # Only the run whose job was cancelled; the other had ended by itself.
    assert story.result.output.count("has been submitted") == 1
    assert story.left_alone.job().number in story.jobs_left


def gpus_of(job: Job) -> list[str]:
    """Return the numbers of the GPUs that a job has been given, in order."""
    found = re.search(r"\(IDX:([\d,-]+)\)", job.fields["GRES"])
    numbers: list[int] = []
    for part in found[1].split(",") if found else []:
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return [str(number) for number in numbers]
