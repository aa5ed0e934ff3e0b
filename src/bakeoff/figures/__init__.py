"""The figures of a study, drawn from its tables and runs.

One module for each figure, each with a function `plot` that takes the files it is drawn from and
`out`, the file to write without or with any suffix: a PNG and an SVG are written beside each other.
`style` holds what all figures share, `labels` places names beside points, `scatter` draws accuracy
against a cost. The same inputs give the same bytes.
"""
