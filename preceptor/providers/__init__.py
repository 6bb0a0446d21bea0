"""Fine-tuning by a provider: a commercial API in the place of the local trainer, and nothing sent without a permit."""

VERSION = "1"  # changes whenever the same examples would be sent otherwise
