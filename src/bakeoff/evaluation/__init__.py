"""From a run's spec to its five files, and what a variant costs."""
