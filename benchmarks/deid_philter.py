"""The spans that philter-lite finds, for `python benchmarks/deid.py --philter PYTHON`: JSON of texts in, of spans out.

It runs in an environment of its own, which has `philter-lite==0.6.0` and `textblob`. philter-lite asks NLTK for parts of
speech, whose model no package carries; TextBlob's bundled tagger stands in for it, so its figures may be slightly off.
"""

import json
import sys
import time
from pathlib import Path

import nltk
import philter_lite
from textblob.en.taggers import PatternTagger


def _parts_of_speech(words: list[str]) -> list[tuple[str, str]]:
    tagged = dict(PatternTagger().tag(" ".join(words), tokenize=False))
    return [(word, tagged.get(word, "NN")) for word in words]


def main() -> None:
    nltk.pos_tag = _parts_of_speech
    configs = Path(philter_lite.__file__).parent / "configs"
    filters = philter_lite.load_filters(str(configs / "philter_delta.toml"))
    texts = json.load(sys.stdin)
    started = time.perf_counter()
    found = [
        [(phi.start, phi.stop) for phi in philter_lite.detect_phi(text, filters)[2].phi] for text in texts
    ]
    print(json.dumps({"spans": found, "notes/s": round(len(texts) / (time.perf_counter() - started), 1)}))


if __name__ == "__main__":
    main()
