"""The recipe of a run: what `config/recipes.yaml` may say, and what the engine reads.

Nothing heavy may be imported here, because the Snakefile reads recipes at each parse.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from bakeoff.settings import WHOLE, Count, NotNegative, Positive, Settings, Share

MAGNITUDE_BINS = 31


class OptimizerConfig(Settings):
    """Which optimizer, and its constants."""

    name: Literal["sgd", "adamw"]
    """The optimizer."""
    momentum: Share = 0.9
    """Momentum of sgd."""
    nesterov: bool = False
    """Nesterov's momentum (sgd)."""
    betas: Annotated[tuple[Share, Share], Field(strict=False)] = (0.9, 0.999)
    """Decay rates of the moments (adamw)."""
    weight_decay: NotNegative = 0.0
    """Weight decay."""
    decay_norm_and_bias: bool = True
    """Whether normalisation weights and biases decay too."""

    @field_validator("nesterov")
    @classmethod
    def _has_momentum(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("name") == "sgd" and info.data.get("momentum") == 0:
            raise ValueError(
                "is true, but momentum is 0, and Nesterov's needs more. Set nesterov to false."
            )
        return value


class LearningRateConfig(Settings):
    """Peak learning rate = base * global_batch / per_images."""

    base: Positive
    """Learning rate at per_images."""
    per_images: Count
    """The global batch at which base holds."""


class PolicyArgs(Settings):
    """Arguments of RandAugment (Cubuk et al., 2020)."""

    magnitude: Annotated[int, Field(ge=0, lt=MAGNITUDE_BINS), WHOLE] = 9
    """Strength of every operation, from 0 to 30."""
    layers: Count = 2
    """How many operations are applied to an image, one after the other."""


class AugmentConfig(Settings):
    """What is done to training images; nothing by default. Sizes are in the data set's pixels."""

    crop_padding: Annotated[int, Field(ge=0, le=16), WHOLE] = 0
    """Black pixels around the image before a crop of the original size at a random place."""
    flip: bool = False
    """Mirror left and right with probability one half."""
    policy: Literal["autoaugment", "randaugment", "trivialaugment"] | None = None
    """Automatic augmentation."""
    policy_args: PolicyArgs | None = Field(default=None, validate_default=True)
    """Arguments of randaugment; the other policies have none."""
    cutout: Annotated[int, Field(ge=0), WHOLE] = 0
    """Side of the square that is set to the mean colour (DeVries and Taylor, 2017); 0 is off."""
    erasing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability of random erasing (Zhong et al., 2020)."""
    mixup: NotNegative = 0.0
    """Alpha of mixup (Zhang et al., 2018); 0 is off."""
    cutmix: NotNegative = 0.0
    """Alpha of CutMix (Yun et al., 2019); 0 is off."""

    @field_validator("policy_args")
    @classmethod
    def _belong_to_the_policy(
        cls, value: PolicyArgs | None, info: ValidationInfo
    ) -> PolicyArgs | None:
        policy = info.data.get("policy")
        if policy == "randaugment":
            return value or PolicyArgs()
        if value is not None and value.model_fields_set and "policy" in info.data:
            raise ValueError(
                f"is for the policy randaugment, but policy is {policy or 'null'}. Remove "
                "policy_args, or set policy to randaugment."
            )
        return None


class Recipe(Settings):
    """How a variant is trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000), WHOLE]
    """Passes over the training images."""
    global_batch: Count
    """Images in one optimizer step, over all processes."""
    micro_batch: Count
    """Images that BatchNorm sees together; more than global_batch are as many as that."""
    optimizer: OptimizerConfig
    """Which optimizer, and its constants."""
    learning_rate: LearningRateConfig
    """Peak learning rate = base * global_batch / per_images."""
    warmup_epochs: NotNegative = 0.0
    """Epochs of linear warm-up, fewer than epochs."""
    final_learning_rate: NotNegative = 0.0
    """Where the cosine ends."""
    label_smoothing: Share = 0.0
    """Label smoothing."""
    drop_path: Share | None = None
    """Stochastic depth rate given to builders that have one; null leaves the builder's own."""
    gradient_clip: Positive | None = None
    """Largest gradient norm."""
    ema_decay: Share | None = None
    """Decay per step of the averaged weights that are evaluated; null evaluates the weights themselves."""
    precision: Literal["fp32", "fp16", "bf16", "auto"] = "fp16"
    """Mixed precision on a GPU; auto takes bf16 where the GPU has it, else fp16. A CPU computes in fp32."""
    compile: bool = False
    """Use torch.compile where it works."""
    augmentation: AugmentConfig = AugmentConfig()
    """What is done to training images."""

    @field_validator("micro_batch")
    @classmethod
    def _within_a_step(cls, value: int, info: ValidationInfo) -> int:
        # Written as it acts, so that a number without effect makes no run stale.
        step: int = info.data.get("global_batch", value)
        return min(value, step)

    @field_validator("warmup_epochs")
    @classmethod
    def _ends_before_the_run(cls, value: float, info: ValidationInfo) -> float:
        epochs = info.data.get("epochs")
        if epochs is not None and value >= epochs:
            raise ValueError(
                f"is {value:g}, expected less than epochs, which is {epochs}: the learning rate would "
                "only just reach its peak."
            )
        return value

    @field_validator("final_learning_rate")
    @classmethod
    def _falls(cls, value: float, info: ValidationInfo) -> float:
        rate, batch = info.data.get("learning_rate"), info.data.get("global_batch")
        if rate is not None and batch is not None and value > rate.base * batch / rate.per_images:
            raise ValueError(
                f"is {value:g}, expected at most the peak of the learning rate, which is "
                f"{rate.base * batch / rate.per_images:g}."
            )
        return value

    @property
    def peak_learning_rate(self) -> float:
        """Return the learning rate after the warm-up: the linear scaling rule of Goyal et al., 2017, section 2.1."""
        return self.learning_rate.base * self.global_batch / self.learning_rate.per_images
