"""What a model kept of what it was trained on: canaries, extraction, membership, and leaks in what it wrote."""
