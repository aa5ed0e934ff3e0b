"""The input pipeline: whole batches, on the device, the same whoever asks for them.

| module | holds |
| --- | --- |
| `packed` | the data set as one block of bytes in which a crop, mirrored or not, is one copy |
| `policy`, `operations` | RandAugment and TrivialAugment, and the operations that they draw from |
| `autoaugment` | AutoAugment, of the same operations |
| `erasing` | cutout and random erasing |
| `mixing` | mixup and CutMix |
| `pipeline` | `InputPipeline`: all of it in order |
"""

from bakeoff.training.augment.pipeline import InputPipeline
from bakeoff.training.recipe import AugmentConfig

__all__ = ["AugmentConfig", "InputPipeline"]
