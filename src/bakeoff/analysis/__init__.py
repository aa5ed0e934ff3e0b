"""From runs on disk to tables: reading runs, statistics, comparison, ablations, claims.

`predictions` and `runs` read what training left behind, `networks` gathers the runs of a variant,
`statistics` holds the estimates and tests, `comparison`, `ablation` and `claims` each make the
tables of one folder, and `tables` writes them. Nothing here imports torch, and importing this
package alone imports nothing else.
"""
