"""The web app where people compare answers without knowing whose they are, and sign versions.

- `database`, `opened`, `sessions`: what it keeps; who is signed in, and the lock-out
- `comparisons`, `agreement`: blinded comparisons and what came of them
- `routes`: which page is for which role; `pages`, `example_pages`, `deid_pages`, `release_pages`: the pages; `app`: what stands around every one
"""
