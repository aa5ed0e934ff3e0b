"""Only what is stale: which jobs a study has, what each was made from, and why it has to run again.

`jobs` says what every job reads and writes, `records` what it was made from when it ran, `state` compares the two
with what is there now. Snakemake does the rest: its rules take all inputs as `ancient`, and one small file, the
tick, as newer than everything exactly when a job is stale.
"""
