"""Where results come from: the study as a graph of jobs, and what is made of it.

`graph` is built from the records that every job leaves (see `bakeoff.staleness`). `trace` follows it from one file,
slide or number to the runs behind it; `crate` writes it down for other programs, as an RO-Crate; `archive` packs what
it names, and `verify` checks such an archive.
"""
