"""The figures of a study, drawn from its tables and runs.

One module for each figure, each with a function `plot` that takes the files it is drawn from and the
`sheet.Sheet` it is drawn on, which says how large, in which language and into which files. `words` has
the words of all figures, `style` colours and sizes of type, `labels` places names beside points and
curves, `scatter` draws accuracy against a cost. The same inputs give the same bytes.
"""
