"""Is there enough data to train on, and what would more of it buy?"""

VERSION = "2"
