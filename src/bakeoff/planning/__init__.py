"""The plan: how long each run will take, on how many GPUs, in which order, and what that costs.

| module | holds |
| --- | --- |
| `work` | what a run has to compute, whatever the machine; the spec of the plan |
| `machine` | what a device can do, with the sources of the constants |
| `prediction` | seconds of a run on some devices |
| `measured` | what finished runs say about predictions |
| `calibration` | seconds of single steps, measured on the machine at hand |
| `measure` | the measuring itself, which needs torch |
| `allocation` | devices for each run: what there is to choose from, the lower bound, the greedy choice |
| `solver` | the same choice as a mixed-integer program |
| `schedule` | which run starts when, and where |
| `history` | what earlier plans predicted, and how far off that was |
| `plan` | all of it, written to `{root}/plan/` |
| `summary`, `files`, `gantt` | the plan in a few numbers, as tables, as a chart |
| `follow` | what the workflow reads of a plan at each parse, and what it does without one |

`follow` and what it imports are read at each parse of the workflow, so they use the standard library only.
"""
