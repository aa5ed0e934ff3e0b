"""What a person sees of a study on a terminal: the plan, the runs at work, failures, the end.

| module | holds |
| --- | --- |
| `study` | how the study stands, read from its files: one answer for `bakeoff status` and the live table |
| `logs` | why a job failed, read from its log |
| `plan` | what an invocation will do and why, grouped |
| `results` | what the tables say, for the summary at the end |
| `words` | all of it in lines of text |
| `table` | how the study stands, drawn with rich |
| `events` | what the Snakefile tells the logger |
| `session` | an invocation from its first event to its last: what the logger plugin does |

`snakemake_logger_plugin_bakeoff` connects it with Snakemake. No torch, no pandas: it is imported at each start.
"""
