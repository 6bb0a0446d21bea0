"""Governance documents of a model version, laid out from what was recorded about it and never from made-up text.

Each document is a module that takes `Facts` and returns a `Document`; `html` and `pdf` print the same document, and
`bundle` writes them all. What nobody recorded is said to be not recorded, with what a person would have to supply.
"""

VERSION = "2"  # raised when the same facts give another text
