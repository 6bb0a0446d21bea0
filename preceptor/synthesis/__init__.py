"""Synthetic augmentation: generators behind one interface, filters, and rows that are marked for ever."""

VERSION = "4"
