"""Searching for a recipe: trials of one recipe with other values, each measured on the validation split."""

VERSION = "1"
