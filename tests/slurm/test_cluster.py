"""A small study on a real Slurm: the GPUs of each job, and whatever may happen to a job or to Snakemake."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
import pytest
import yaml

from tests.support.cluster import FOLDER, Cluster, Job, jobs, run, wait_for, why_not
from tests.support.cluster_run import Run, held, step_after
from tests.support.project import REPOSITORY, Project, make_project, project_environment
from tests.support.study import ONE_RUN, small_study

# Idle most of the time: Slurm, Snakemake and their plugin ask one another every so many seconds.
pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1200)]

GPUS_PER_RUN = 2
EPOCHS = 40
STUDY = small_study(
    ONE_RUN,
    {
        "name": "cluster",
        "data": {"shapes": {"train_images": 300, "test_images": 100}},
        "seeds": {"comparison": [0, 1]},
        "gpus": GPUS_PER_RUN,
        "recipe_overrides": {"epochs": EPOCHS, "micro_batch": 25},
    },
)
# The profile as it is, but for waiting less where nothing has to be waited for.
HURRY = ("--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "5")
MODELS = "results/comparison/models.csv"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    started = Cluster(tmp_path_factory.mktemp("cluster") / FOLDER)
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
    left: tuple[Job, Job]
    """The jobs of both runs that a killed Snakemake left behind; that of the second run ended by itself."""
    locked: Finished
    refused: Finished
    """The first attempt to go on, while those jobs were there."""
    result: Finished
    """The attempt after that."""


@pytest.fixture(scope="module")
def story(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Compute a comparison of two runs, and disturb it in every way.

    The job of the first is cancelled, that of the second reaches its time limit. When both are back, a more important
    job takes all GPUs for a moment. When they are back again, Snakemake itself is killed: the first job that it leaves
    behind is cancelled, the second ends by itself. Another Snakemake finishes the study.
    """
    project = make_project(tmp_path_factory.mktemp("slurm") / "project", STUDY)
    runs = one, other = Run(project.folder, 0), Run(project.folder, 1)
    with running(project, "--", MODELS) as snakemake:
        with held("epoch 1/", *runs):
            at_once = one.job(), other.job()
            # Slurm looks at time limits twice a minute. The first run waits for that: stopped before, it would be back
            # and done by then.
            shorten(other.job())
            limited_log = end(other, signal.SIGUSR1)
            run("scancel", str(one.job().number))
            killed_log = end(one, signal.SIGTERM)
        with held("resumed at step", *runs):
            killed = Stop(at_once[0], killed_log, one.resumed_at())
            limited = Stop(at_once[1], limited_log, other.resumed_at())
            preempted_job = other.job()
            run("sbatch", "--partition=urgent", "--gpus=8", "--output=/dev/null", "--wrap=true")
            end(one, signal.SIGTERM)
            preempted_log = end(other, signal.SIGTERM)
        for each in runs:
            start_again(each)
        with held("resumed at step", *runs):
            preempted = Stop(preempted_job, preempted_log, other.resumed_at())
            left = one.job(), other.job()
            snakemake.kill()
            snakemake.wait()
            locked = finish(project, MODELS)
            assert finish(project, "--unlock").code == 0
            refused = finish(project, MODELS)
            run("scancel", str(one.job().number))
            orphaned_log = end(one, signal.SIGTERM)
    wait_for(lambda: not run("squeue", "--noheader"))
    result = finish(project, MODELS)
    orphaned = Stop(left[0], orphaned_log, one.resumed_at())
    stops = {"killed": killed, "limited": limited, "preempted": preempted, "orphaned": orphaned}
    return Story(project, runs, at_once, stops, left, locked, refused, result)


def end(held_run: Run, number: signal.Signals) -> str:
    """Wait until a signal has reached every process of a run that is held, let it go on, and return its log."""
    wait_for(lambda: held_run.told(number))
    held_run.release()
    wait_for(lambda: "stopped at step" in held_run.log())
    return held_run.log()


def shorten(job: Job) -> None:
    """Set the time limit of a running job so that it has one to two minutes left, and its warning is due."""
    hours, minutes, _ = job.fields["RunTime"].split(":")
    limit = 60 * int(hours) + int(minutes) + 2
    run("scontrol", "update", f"JobId={job.number}", f"TimeLimit={limit}")


def start_again(stopped: Run) -> None:
    """Let Slurm start a job that it has put back into the queue, where it would wait for two minutes."""
    wait_for(lambda: stopped.job().state == "PENDING")
    stopped.log_file.unlink()
    run("scontrol", "update", f"JobId={stopped.job().number}", "StartTime=now")


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
    assert set(map(int, scancel[1].split())) == {job.number for job in story.left}


def test_the_next_snakemake_finishes_the_study_and_repeats_nothing(story: Story) -> None:
    assert story.result.code == 0, story.result.output
    assert (story.project.folder / MODELS).exists()
    # The run whose job was cancelled, and not the one whose job had ended by itself.
    first, second = story.runs
    assert story.result.output.count("has been submitted") == 1
    assert first.job().number > story.left[0].number
    assert second.job().number == story.left[1].number


def gpus_of(job: Job) -> list[str]:
    """Return the numbers of the GPUs that a job has been given, in order."""
    found = re.search(r"\(IDX:([\d,-]+)\)", job.fields["GRES"])
    numbers: list[int] = []
    for part in found[1].split(",") if found else []:
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return [str(number) for number in numbers]
