"""The training loop.

One answer on any number of processes: the order of images, their augmentation and every random draw depend on
(seed, epoch, image) or (seed, step, micro-batch), never on who computes them; gradients are summed over a step's
micro-batches in one order, wherever they were computed (`bakeoff.training.gradients`); BatchNorm's statistics and
other buffers move once a step (`bakeoff.training.buffers`).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bakeoff.errors import UserError
from bakeoff.support.checkpoint import load_checkpoint, save_checkpoint
from bakeoff.support.interrupts import InterruptedRunError, StopRequest
from bakeoff.support.progress import Pulse, log_epoch
from bakeoff.support.status import first_pulse
from bakeoff.training.batches import MicroBatch, Step, cut_epoch
from bakeoff.training.buffers import Buffers
from bakeoff.training.compute import MicroBatchInputs, MicroBatchPass
from bakeoff.training.devices import any_process, mean_over_processes, on_device
from bakeoff.training.gradients import neutral_gradients, sum_over_processes, summed
from bakeoff.training.history import EpochRecord, write_history
from bakeoff.training.optimization import (
    WeightAverage,
    learning_rate,
    make_optimizer,
    set_learning_rate,
)
from bakeoff.training.predict import Scores, predict, score
from bakeoff.training.random import derive_seed, permutation
from bakeoff.training.recipe import Recipe

# How many steps pass between looks at what needs the device to be waited for: a loss that is not finite, a
# request to stop on another process.
LOOK_EVERY = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Diverged:
    """How far a training came that left the finite numbers."""

    what: Literal["loss", "weights", "logits"]
    """What is not finite."""
    step: int
    """Optimizer steps that were done when it was noticed; that may be a few after it happened."""
    learning_rate: float
    """Of the last step."""
    history: tuple[EpochRecord, ...]
    """Of the epochs that were finished."""
    seconds: float
    images_per_s: float


class DivergedError(UserError):
    """The loss, the weights or the logits of a training are not finite."""

    def __init__(self, title: str, how: Diverged) -> None:
        """Say how the run `title` diverged."""
        self.how = how
        super().__init__(
            f"{title}: the {how.what} {'is' if how.what == 'loss' else 'are'} not finite at step {how.step} (learning "
            f"rate {how.learning_rate:.4g}). Lower learning_rate.base, lengthen warmup_epochs or set gradient_clip."
        )


class Images(Protocol):
    """Where batches come from; `bakeoff.training.augment.InputPipeline` is the one that the runs use."""

    @property
    def at_once(self) -> int:
        """How many images `look_ahead` should get; 0 where it saves nothing."""
        ...

    def look_ahead(self, indices: Tensor, epoch: int) -> None:
        """Augment images of which alone `train_batch` is asked until the next call; of all where none are given."""
        ...

    def train_batch(self, indices: Tensor, epoch: int) -> Tensor:
        """Return augmented images (B, 3, S, S)."""
        ...

    def eval_batch(self, indices: Tensor) -> Tensor:
        """Return images (B, 3, S, S) as they are."""
        ...

    def mix(self, images: Tensor, labels: Tensor, classes: int, seed: int) -> tuple[Tensor, Tensor]:
        """Return mixed images and soft targets (B, classes); or both as they are where mixing is off."""
        ...


@dataclass(frozen=True)
class Task:
    """What a run is made of, apart from the network and its recipe."""

    title: str
    key: str
    """Identifies configuration, code, data and seed: only a checkpoint with the same key is resumed."""
    seed: int
    images: Images
    labels: Tensor
    """int64, all images of the train split."""
    train: Tensor
    """int64: indices of the images that are trained on."""
    validation: Tensor
    """int64: indices of the images that are held out."""
    classes: int
    checkpoints: Path
    checkpoint_seconds: float = 600.0
    graphs: bool = True
    """Whether to use CUDA graphs on a GPU, which changes no result."""
    on_epoch: tuple[Callable[[EpochRecord], None], ...] = ()
    """Called on the first process after each epoch: to draw curves, not to decide anything."""


@dataclass
class Progress:
    """Where a run stands; all of it is in a checkpoint."""

    step: int = 0
    elapsed: float = 0.0
    epoch_seconds: float = 0.0
    loss_sum: float = 0.0
    correct: float = 0.0
    history: list[EpochRecord] = field(default_factory=list)


@dataclass(frozen=True)
class Trained:
    """A finished training: the network in evaluation mode, with the weights that are to be judged."""

    model: nn.Module
    history: tuple[EpochRecord, ...]
    steps: int
    seconds: float
    images_per_s: float
    uses_ema: bool


class Trainer:
    """Training of one network by one recipe, from wherever the last checkpoint left it."""

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        task: Task,
        accelerator: Accelerator,
        stop: StopRequest,
    ) -> None:
        """Set everything up and resume the newest checkpoint of this task, if there is one."""
        self.recipe, self.task, self.accelerator, self.stop = recipe, task, accelerator, stop
        self.network = on_device(network, accelerator.device)
        optimizer = make_optimizer(self.network, recipe.optimizer, accelerator.device)
        # The network is not prepared: that would wrap it for an exchange of gradients without a fixed order.
        self.model, self.optimizer = compiled(self.network, recipe), accelerator.prepare(optimizer)
        if accelerator.scaler is not None:
            # The scaler makes its scale for the first loss, and a process without a micro-batch in a step has none.
            accelerator.scaler.scale(torch.zeros(1, device=accelerator.device))
        self.buffers = Buffers(self.network)
        self.parameters: list[Tensor] = list(self.network.parameters())
        self.trained = [each for each in self.parameters if each.requires_grad]
        self.learned = [*self.parameters, *self.buffers.statistics]
        # What each micro-batch contributes to, in this order.
        self.summands = [*self.trained, *self.buffers.statistics]
        self.average: WeightAverage | None = None
        if recipe.ema_decay is not None:
            self.average = WeightAverage(self.learned, recipe.ema_decay)
        self.labels = task.labels.to(accelerator.device)
        self.epoch_steps = cut_epoch(len(task.train), recipe.global_batch, recipe.micro_batch)
        self.progress = Progress()
        # Sums over the epoch so far: loss and correct predictions. On the device, so that no step waits for it.
        self.sums = torch.zeros(2, dtype=torch.float64, device=accelerator.device)
        self.step_images = torch.zeros((), device=accelerator.device)
        self.compute = MicroBatchPass(
            self.model,
            self.trained,
            self.buffers,
            self.sums,
            accelerator,
            recipe.label_smoothing,
            graphs=task.graphs and not recipe.compile,
        )
        self._resume()

    def fit(self) -> Trained:
        """Train to the end and return the result.

        Raises:
            InterruptedRunError: the process was told to stop; a checkpoint is saved.
            DivergedError: loss or weights are not finite.
            UserError: memory or disk are too small; with what to change.
        """
        steps_per_epoch = len(self.epoch_steps)
        total = self.recipe.epochs * steps_per_epoch
        done, images = self.progress.step, len(self.task.train)
        begun = first_pulse(done, total, self.recipe.epochs, images, self.accelerator.device.type)
        pulse = Pulse(self.task.checkpoints, begun, self.accelerator.is_main_process)
        self._saved = time.monotonic()
        try:
            while self.progress.step < total:
                self._stop_if_told()
                epoch, first = divmod(self.progress.step, steps_per_epoch)
                self._train_epoch(epoch, first, pulse)
                self._finish_epoch(epoch, pulse)
        except torch.OutOfMemoryError:
            raise UserError(
                f"{self.task.title}: the GPU has too little memory for micro-batches of "
                f"{self.recipe.micro_batch} images. Set recipe_overrides.micro_batch to a smaller number "
                "(BatchNorm then sees smaller groups), or use a larger GPU."
            ) from None
        finally:
            pulse.close()
        self._judged_weights()
        history = tuple(self.progress.history)
        seconds = sum(record.seconds for record in history)
        return Trained(
            model=self.network.eval(),
            history=history,
            steps=self.progress.step,
            seconds=self.progress.elapsed,
            images_per_s=len(self.task.train) * self.recipe.epochs / seconds,
            uses_ema=self.average is not None,
        )

    def _train_epoch(self, epoch: int, first: int, pulse: Pulse) -> None:
        order = self.task.train[permutation(self.task.seed, epoch, len(self.task.train))]
        # Once an epoch: a copy for each micro-batch would have the host wait for the device.
        order = order.to(self.accelerator.device)
        self.model.train()
        begun, before = time.monotonic(), self.progress.epoch_seconds
        ready = first
        for number in range(first, len(self.epoch_steps)):
            if number == ready:
                ready = self._look_ahead(epoch, order, number)
            self._train_step(epoch, order, self.epoch_steps[number])
            self.progress.step += 1
            pulse.step()
            often = self.accelerator.num_processes == 1 or self.progress.step % LOOK_EVERY == 0
            # Not after the last step: a checkpoint before the validation would lose the epoch's record.
            if often and number + 1 < len(self.epoch_steps):
                self.progress.epoch_seconds = before + time.monotonic() - begun
                self._look()
        # Reading the sums waits for the device, so that the seconds are those of finished work.
        self.progress.loss_sum, self.progress.correct = self._epoch_sums()
        self.progress.epoch_seconds = before + time.monotonic() - begun

    def _look_ahead(self, epoch: int, order: Tensor, first: int) -> int:
        """Have images of this process's next steps augmented at once; return the first step after those."""
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        images = self.task.images
        if images.at_once == 0:
            return len(self.epoch_steps)
        parts: list[MicroBatch] = []
        room, stop = images.at_once, first
        while stop < len(self.epoch_steps):
            mine = self.epoch_steps[stop].of_rank(rank, world)
            room -= sum(part.images for part in mine)
            if room < 0:
                break
            parts += mine
            stop += 1
        indices = [order[part.start : part.stop] for part in parts]
        images.look_ahead(torch.cat(indices) if indices else order[:0], epoch)
        # A step that is too large alone is augmented micro-batch by micro-batch.
        return max(stop, first + 1)

    def _train_step(self, epoch: int, order: Tensor, step: Step) -> None:
        """Run one optimizer step: this process's micro-batches, then the update that all processes share."""
        world = self.accelerator.num_processes
        mine = step.of_rank(self.accelerator.process_index, world)
        rate = learning_rate(self.progress.step, len(self.epoch_steps), self.recipe)
        set_learning_rate(self.optimizer, rate)

        self.step_images.fill_(step.images)
        own = (
            summed(mine, lambda part: self._gradients(epoch, order, part))
            if mine
            else neutral_gradients(self.summands)
        )
        sums = sum_over_processes(own, world, self.summands)
        for parameter, gradient in zip(self.trained, sums, strict=False):
            parameter.grad = gradient
        if self.recipe.gradient_clip is not None:
            self.accelerator.clip_grad_norm_(self.parameters, self.recipe.gradient_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.buffers.after_step(sums[len(self.trained) :], len(step.micro_batches), world)
        if self.average is not None:
            self.average.update(self.progress.step)

    def _gradients(self, epoch: int, order: Tensor, part: MicroBatch) -> list[Tensor]:
        """Return gradients and moves of statistics of a micro-batch."""
        indices = order[part.start : part.stop]
        seed = derive_seed(self.task.seed, self.progress.step, part.number)
        images = self.task.images.train_batch(indices, epoch)
        labels = self.labels[indices]
        images, targets = self.task.images.mix(images, labels, self.task.classes, seed)
        # What the network itself draws (drop path, dropout) belongs to this micro-batch, whoever computes it.
        return self.compute(
            MicroBatchInputs(images, labels, targets, self.step_images), part.number, seed
        )

    def _finish_epoch(self, epoch: int, pulse: Pulse) -> None:
        """Validate, write the epoch's line, save."""
        progress, images = self.progress, len(self.task.train)
        self._check_finite()
        started = time.monotonic()
        scores = self.validate()
        record = EpochRecord(
            epoch=epoch + 1,
            lr=learning_rate(progress.step - 1, len(self.epoch_steps), self.recipe),
            train_loss=progress.loss_sum / images,
            train_top1=100 * progress.correct / images,
            val_loss=scores.loss,
            val_top1=scores.top1,
            val_top5=scores.top5,
            images_per_s=images / progress.epoch_seconds,
            seconds=progress.epoch_seconds,
        )
        progress.history.append(record)
        progress.elapsed += progress.epoch_seconds + time.monotonic() - started
        progress.epoch_seconds = progress.loss_sum = progress.correct = 0.0
        self.sums.zero_()
        saving = time.monotonic()
        if epoch + 1 == self.recipe.epochs or self._checkpoint_is_due():
            self._save()
            # The checkpoint itself cannot know.
            progress.elapsed += time.monotonic() - saving
        pulse.next_epoch()
        if self.accelerator.is_main_process:
            log_epoch(record, self.recipe.epochs, progress.elapsed)
            for follow in self.task.on_epoch:
                follow(record)
            write_history(self.task.checkpoints / "history.csv", progress.history)

    def validate(self) -> Scores:
        """Return the scores on the held-out images, with the weights as a final evaluation would use them."""
        saved = [value.detach().clone() for value in self.learned] if self.average else []
        self._judged_weights()
        self.network.eval()
        logits = predict(
            self.network,
            self.task.images.eval_batch,
            self.task.validation,
            self.accelerator,
            self.recipe.micro_batch,
        )
        if saved:
            with torch.no_grad():
                torch._foreach_copy_(self.learned, saved)
        return score(logits, self.task.labels[self.task.validation])

    @torch.no_grad()
    def _judged_weights(self) -> None:
        """Fill the network with the weights and statistics that are judged: the averages where there are any."""
        if self.average is not None:
            torch._foreach_copy_(self.learned, self.average.values)

    def _stop_if_told(self) -> None:
        if any_process(self.accelerator, self.stop.signal is not None):
            self._save()
            raise InterruptedRunError(
                f"{self.task.title}: stopped at step {self.progress.step} by {self.stop.signal or 'another process'}; "
                "the checkpoint is saved and the next start resumes there."
            )

    def _look(self) -> None:
        """Stop if told to, and save if the last checkpoint is old; at most every few steps on several processes."""
        self._stop_if_told()
        if self.progress.step % LOOK_EVERY:
            return
        self._check_finite()
        if self._checkpoint_is_due():
            self._save()

    def _checkpoint_is_due(self) -> bool:
        due = time.monotonic() - self._saved > self.task.checkpoint_seconds
        return any_process(self.accelerator, due)

    def _check_finite(self, *, weights: bool = False) -> None:
        """Raise DivergedError if the loss of the epoch so far is not finite, or, if asked for, the weights are not."""
        if not math.isfinite(self._epoch_sums()[0]):
            raise self._diverged("loss")
        # The last step's weights have not been in a loss yet.
        if weights and not all(each.isfinite().all() for each in self.learned):
            raise self._diverged("weights")

    def _diverged(self, what: Literal["loss", "weights"]) -> DivergedError:
        progress, steps = self.progress, len(self.epoch_steps)
        training = progress.epoch_seconds + sum(record.seconds for record in progress.history)
        return DivergedError(
            self.task.title,
            Diverged(
                what,
                progress.step,
                learning_rate(progress.step - 1, steps, self.recipe),
                tuple(progress.history),
                progress.elapsed + progress.epoch_seconds,
                len(self.task.train) * progress.step / steps / max(training, 1e-9),
            ),
        )

    def _epoch_sums(self) -> tuple[float, float]:
        """Return the epoch's sums of loss and of correct predictions so far, over all processes."""
        sums = mean_over_processes(self.accelerator, self.sums) * self.accelerator.num_processes
        return sums[0].item(), sums[1].item()

    def _save(self) -> None:
        """Write a checkpoint, unless it would be of numbers that are none. Every process takes part.

        Raises:
            DivergedError: loss or weights are not finite; the checkpoints that were there are untouched.
        """
        self._check_finite(weights=True)
        sums = self.accelerator.gather(self.sums[None])
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            state = {
                "key": self.task.key,
                "network": self.network.state_dict(),
                "buffers": self.buffers.values,
                "optimizer": self.optimizer.state_dict(),
                "scaler": scaler.state_dict() if scaler is not None else None,
                "average": self.average.values if self.average else [],
                "sums": sums,
                "progress": {**asdict(self.progress), "loss_sum": 0.0, "correct": 0.0},
            }
            save_checkpoint(self.task.checkpoints, self.progress.step, state)
        self.accelerator.wait_for_everyone()
        self._saved = time.monotonic()

    @torch.no_grad()
    def _resume(self) -> None:
        state = load_checkpoint(self.task.checkpoints, self.task.key)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        # Behind the network's, which may lack those that are not for its file.
        self.buffers.load(state["buffers"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        for value, saved in zip(
            self.average.values if self.average else [], state["average"], strict=True
        ):
            value.copy_(saved)
        self.sums.copy_(_share(state["sums"], self.accelerator))
        saved_progress = state["progress"]
        history = [EpochRecord(**record) for record in saved_progress.pop("history")]
        self.progress = Progress(**saved_progress, history=history)
        log.info("resumed at step %d (epoch %d)", self.progress.step, len(history) + 1)


def compiled(network: nn.Module, recipe: Recipe) -> nn.Module:
    """Return the network compiled where the recipe asks for it and torch.compile can; else as it is."""
    if not recipe.compile:
        return network
    # A part that cannot be compiled (no compiler on the machine, an operation it does not know) then runs as it is,
    # with a warning, when it is first called.
    torch._dynamo.config.suppress_errors = True
    try:
        module: nn.Module = torch.compile(network)  # type: ignore[assignment]
    except RuntimeError as error:
        log.warning("torch.compile is not available here (%s); training goes on without it", error)
        return network
    return module


def _share(sums: Tensor, accelerator: Accelerator) -> Tensor:
    """Return this process's part of the epoch's sums, which a checkpoint has for each process.

    On as many processes as wrote it, each takes back its own, so that the run goes on bit for bit. On another number
    one process takes all.
    """
    if len(sums) == accelerator.num_processes:
        return sums[accelerator.process_index]
    total = sums.sum(dim=0)
    return total if accelerator.is_main_process else torch.zeros_like(total)
