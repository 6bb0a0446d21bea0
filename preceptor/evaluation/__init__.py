"""Scoring a fine-tuned model against its alternatives on the same held-out cases."""

VERSION = "evaluation-5"  # changes whenever the same answers would be scored, or the same prompts answered, differently
