"""Bakeoff: which backbone is best on CIFAR-100, for what, and how sure are we?"""

__version__ = "0.1.0"
