"""Dagster assets: one module for each stage. They declare what exists and from what, call one domain function, and
report facts."""
