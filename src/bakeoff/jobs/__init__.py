"""The frame that every job runs in, and what is stale.

A job is declared once, in its rule. `rules` reads jobs from Snakemake's rules, `frame` runs a job's script and writes
its record from Snakemake's own lists, `records` says what a job was made from, `code` digests what a script executes,
`state` compares records with what is there now, `commands` answers `why`, `adopt` and `clean_orphans`.

Nothing in this package decides a result, so no digest of code counts it (see `code.FRAME`).
"""
