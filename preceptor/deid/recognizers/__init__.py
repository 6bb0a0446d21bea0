"""Presidio recognisers for clinical text, one family of identifiers a module. Usable in any Presidio registry."""
