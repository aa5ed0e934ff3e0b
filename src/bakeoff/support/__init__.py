"""What every job may use and no result depends on: how a run is watched, stopped and resumed, and where it came from.

No digest of code counts what is in this package (see `bakeoff.jobs.code.FRAME`).
"""
