"""Finished versions kept in an object store beside the home: S3 and what speaks its language, or a mounted folder.

The home stays the place where work is done. What is kept is whole or absent there too, and is checked against its manifest
when it comes back. Never kept: the vault, keys, the release record, and what was learnt from raw notes (the tagger).
"""
