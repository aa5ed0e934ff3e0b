"""The networks of the study; importing this package imports neither torch nor timm."""

from bakeoff.models.factory import build, create_model, load_variants
from bakeoff.models.policy import InputPolicy, input_policy
from bakeoff.models.registry import MODEL_REGISTRY, register_model

__all__ = [
    "MODEL_REGISTRY",
    "InputPolicy",
    "build",
    "create_model",
    "input_policy",
    "load_variants",
    "register_model",
]
