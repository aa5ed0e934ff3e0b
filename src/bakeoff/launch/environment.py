"""The environment of all jobs: what the caller's shell, notebook or batch system says decides no result.

What says where things are stays: paths, proxies, caches, devices, network interfaces, Slurm, and BAKEOFF_*.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

LIBRARY_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Number of the process that launched this one as one of several.
LAUNCHER = "BAKEOFF_LAUNCHER"

# Variables that change what libraries compute, draw or print, by the beginning of their names.
CHANGING = (
    # The interpreter: warnings as errors, assertions and docstrings dropped, another encoding, a prompt at the end.
    "PYTHON",
    # Arithmetic: threads, kernels, instruction sets, precision.
    *(
        "OMP_",
        "KMP_",
        "GOMP_",
        "GOTO_",
        "MKL_",
        "OPENBLAS_",
        "BLIS_",
        "VECLIB_",
        "NUMEXPR_",
        "NPY_",
    ),
    *("ATEN_", "DNNL_", "ONEDNN_", "CUBLAS", "CUDNN_", "NVIDIA_TF32_OVERRIDE"),
    *("TORCH", "PYTORCH_", "TIMM_", "ACCELERATE_", "FSDP_"),
    # Another launcher's idea of which process this is.
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "MASTER_ADDR", "MASTER_PORT"),
    *("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE"),
    *("PMI_", "OMPI_", "MV2_"),
    # Figures and text.
    *("MPL", "MATPLOTLIB", "SOURCE_DATE_EPOCH", "FORCE_COLOR", "TTY_"),
    # Set while git runs a hook: provenance would name another repository.
    "GIT_",
)
KEPT = (
    # Where Python and packages are.
    *("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONPLATLIBDIR"),
    *("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"),
    # Memory and network of this machine.
    *("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "TORCH_NCCL_"),
)
SET = {
    # Nothing is imported from the working directory, whatever lies there.
    "PYTHONSAFEPATH": "1",
    "PYTHONUTF8": "1",
    "PYTHONHASHSEED": "0",
    # A job that needs more says so.
    **dict.fromkeys(LIBRARY_THREADS, "1"),
}


def settle(environment: MutableMapping[str, str]) -> None:
    """Make `environment` the same for all callers, except for what says where things are.

    It holds for the processes that this one starts, and for libraries that it has not imported yet. One of the
    processes of a run has the environment that its launcher made.
    """
    if environment.get(LAUNCHER) == str(os.getppid()):
        return
    for name in list(environment):
        if name == LAUNCHER or (name.startswith(CHANGING) and not name.startswith(KEPT)):
            del environment[name]
    if paths := environment.get("PYTHONPATH"):
        # Python takes an empty entry, as in PYTHONPATH=$PYTHONPATH:/somewhere, for the working directory.
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths.split(os.pathsep)))
    environment.update(SET)
