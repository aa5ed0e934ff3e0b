"""The engine: from a recipe, prepared data and a seed to trained weights."""
