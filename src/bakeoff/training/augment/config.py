"""What a recipe says about augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from bakeoff.errors import UserError, did_you_mean

PolicyName = Literal["randaugment", "trivialaugment"]
POLICIES: tuple[PolicyName, ...] = ("randaugment", "trivialaugment")
MAGNITUDE_BINS = 31


@dataclass(frozen=True)
class PolicyArgs:
    """Arguments of RandAugment (Cubuk et al., 2020); TrivialAugment has none."""

    magnitude: int = 9
    """Strength of every operation: 0 to 30."""
    layers: int = 2
    """How many operations are applied to an image, one after the other."""

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> PolicyArgs:
        """Return the checked arguments; see `AugmentConfig.from_mapping`."""
        _check_keys(mapping, cls, "augmentation.policy_args")
        args = cls(**mapping)
        where = "augmentation.policy_args"
        _check_number(f"{where}.magnitude", args.magnitude, 0, MAGNITUDE_BINS - 1, whole=True)
        _check_number(f"{where}.layers", args.layers, 1, whole=True)
        return args


@dataclass(frozen=True)
class AugmentConfig:
    """What is done to training images; nothing by default. Sizes are in the data set's pixels."""

    crop_padding: int = 0
    """Black pixels around the image before a crop of the original size at a random place."""
    flip: bool = False
    """Mirror left and right with probability one half."""
    policy: PolicyName | None = None
    policy_args: PolicyArgs = field(default_factory=PolicyArgs)
    cutout: int = 0
    """Side of the square that is set to the mean colour (DeVries and Taylor, 2017); 0 is off."""
    erasing: float = 0.0
    """Probability of random erasing (Zhong et al., 2020)."""
    mixup: float = 0.0
    """Alpha of mixup (Zhang et al., 2018); 0 is off."""
    cutmix: float = 0.0
    """Alpha of CutMix (Yun et al., 2019); 0 is off."""

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> AugmentConfig:
        """Return the configuration in a recipe's `augmentation`; absent keys have their defaults.

        Raises:
            UserError: an unknown key, or a value of the wrong type or out of range.
        """
        _check_keys(mapping, cls, "augmentation")
        arguments = mapping.get("policy_args") or {}
        if not isinstance(arguments, Mapping):
            raise UserError(f"augmentation.policy_args is {arguments!r}; it must be a mapping.")
        config = cls(**{**mapping, "policy_args": PolicyArgs.from_mapping(arguments)})
        config._check()
        return config

    def _check(self) -> None:
        if self.policy is not None and self.policy not in POLICIES:
            raise UserError(
                f"augmentation.policy is {self.policy!r}{did_you_mean(self.policy, POLICIES)}; "
                f"it must be null or one of {', '.join(POLICIES)}."
            )
        if self.policy != "randaugment" and self.policy_args != PolicyArgs():
            raise UserError(
                "augmentation.policy_args are for policy 'randaugment', but the policy is "
                f"{self.policy!r}. Remove policy_args or set policy to randaugment."
            )
        if not isinstance(self.flip, bool):
            raise UserError(f"augmentation.flip is {self.flip!r}; it must be true or false.")
        _check_number("augmentation.crop_padding", self.crop_padding, 0, whole=True)
        _check_number("augmentation.cutout", self.cutout, 0, whole=True)
        _check_number("augmentation.erasing", self.erasing, 0, 1)
        _check_number("augmentation.mixup", self.mixup, 0)
        _check_number("augmentation.cutmix", self.cutmix, 0)


def _check_keys(mapping: Mapping[str, Any], cls: type[Any], where: str) -> None:
    known = [item.name for item in fields(cls)]
    for key in mapping:
        if key not in known:
            raise UserError(
                f"{where} has the unknown key {key!r}{did_you_mean(key, known)}; "
                f"the keys are {', '.join(known)}."
            )


def _check_number(
    where: str, value: object, low: float, high: float = float("inf"), whole: bool = False
) -> None:
    """Raise UserError unless `value` is a (whole) number in [low, high]."""
    kinds = int if whole else (int, float)
    # bool is an int to Python, and infinity would pass `low <= value`.
    if (
        isinstance(value, bool)
        or not isinstance(value, kinds)
        or not low <= value <= high
        or value == float("inf")
    ):
        kind = "a whole number" if whole else "a number"
        limits = f"of at least {low}" if high == float("inf") else f"from {low} to {high}"
        raise UserError(f"{where} is {value!r}; it must be {kind} {limits}.")
