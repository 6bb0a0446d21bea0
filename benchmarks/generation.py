"""Answers a second of the evaluation's generation against `generate` on one prompt after the other, in one run.

    python benchmarks/generation.py --home HOME                    # test cases of the newest curated data there, arm base
    python benchmarks/generation.py --home HOME --arm rag --cases 16 --rows 16

Both get the same model in the same number format, the same prompts as an evaluation's arm builds them, and the same limit of
tokens; `generate` is called as Transformers' documentation does for one prompt, with its cache. The answers are compared: in
float32 they must be the same, in bfloat16 a near-tie may fall the other way. Nothing is trained.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from preceptor.evaluation.answer_cache import AnswerCache
from preceptor.evaluation.arms import ArmModel, questions
from preceptor.evaluation.evaluate import chosen_cases
from preceptor.evaluation.generation import GenerationSettings, answer_all
from preceptor.evaluation.loading import load_model
from preceptor.evaluation.prompting import encode
from preceptor.evaluation.retrieval import usable
from preceptor.models import resolve
from preceptor.settings import EvaluationSettings, Workspace
from preceptor.tables import EXAMPLES, read_examples
from preceptor.versions import newest


def one_by_one(loaded: Any, prompts: list[tuple[int, ...]], limit: int) -> list[str]:
    """The peer: `generate`, greedy, one prompt at a time."""
    import torch

    said = []
    for ids in prompts:
        with torch.inference_mode():
            row = torch.tensor([list(ids)], device=loaded.model.device)
            written = loaded.model.generate(
                row,
                attention_mask=torch.ones_like(row),
                max_new_tokens=limit,
                do_sample=False,
                eos_token_id=sorted(loaded.end_ids),
                pad_token_id=min(loaded.end_ids),
            )[0, len(ids) :]
        said.append(loaded.tokenizer.decode(written, skip_special_tokens=True).strip())
    return said


def measured(args: argparse.Namespace) -> dict[str, Any]:
    ours = Workspace(args.home)
    settings = EvaluationSettings(batch_size=args.rows, max_new_tokens=args.tokens, max_cases=args.cases)
    base = resolve(args.model, ours)
    model = ArmModel(base.name, base.path, None, base.digest)
    dataset = newest(ours.data, "curated").path
    examples = read_examples(dataset / EXAMPLES)
    cases = chosen_cases(examples, settings, dataset, given=False)
    train = usable([e for e in examples if e.split == "train"], cases)
    asked = questions(args.arm, cases, train, settings)

    loaded = load_model(model, args.dtype)
    prompts = [encode(loaded.tokenizer, each, settings.max_prompt_tokens).ids for each in asked]
    one_by_one(loaded, prompts[:1], 4)
    began = time.perf_counter()
    plain = one_by_one(loaded, prompts, args.tokens)
    plain_s = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        found = answer_all(
            model, asked, GenerationSettings.of(settings, args.dtype), AnswerCache(Path(folder))
        )
        ours_s = time.perf_counter() - began
    return {
        "arm": args.arm,
        "cases": len(cases),
        "prompt_tokens": sum(map(len, prompts)),
        "new_tokens": sum(answer.new_tokens for answer in found.answers),
        "plain_s": round(plain_s, 1),
        "ours_s": round(ours_s, 1),
        "ratio": round(plain_s / ours_s, 2),
        "same_answers": sum(a.text == b for a, b in zip(found.answers, plain, strict=True)) / len(plain),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="a workspace with curated data")
    parser.add_argument("--arm", default="base", choices=("base", "fewshot", "rag"))
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--cases", type=int, default=0, help="the first so many; 0: all")
    parser.add_argument("--rows", type=int, default=32, help="answers decoded together")
    parser.add_argument("--tokens", type=int, default=160, help="at most so many new tokens an answer")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    print(json.dumps(measured(parser.parse_args()), indent=1))


if __name__ == "__main__":
    main()
