"""What a bundle must answer: fictional questions, and what the evaluated model answers them."""

from __future__ import annotations

from typing import Any

from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.loading import load_model
from preceptor.serving.prompts import chat_ids

# Written for this; no patient is in them.
QUESTIONS = (
    "Summarise in one sentence.\n\nA 54-year-old teacher comes with three days of cough and fever of 38.6 C. Crackles at the right "
    "base. Chest film: right lower lobe infiltrate. Plan: amoxicillin, review in 48 hours.",
    "Which problem is most urgent?\n\nSudden severe headache, vomiting, stiff neck since one hour. Blood pressure 178/96.",
    "List the medicines.\n\nTakes metoprolol 50 mg twice a day and apixaban 5 mg twice a day; stopped ibuprofen last week.",
    "Write the plan for this visit.\n\nKnee pain after a twist on the stairs, no effusion, full movement, walks with a limp.",
)
ANSWER_TOKENS, TOP = 24, 5
# The largest difference of a logit, as a share of the range of all, that a number format is allowed. Rounding: bfloat16
# keeps 8 bits, float16 11, Q8_0 7 and a sign for the largest of 32 weights, fewer for the others; the errors of the layers add up.
TOLERANCES = {"float32": 1e-3, "float16": 0.01, "bfloat16": 0.05, "f32": 1e-3, "f16": 0.01, "q8_0": 0.1}


def expectations(model: ArmModel) -> list[dict[str, Any]]:
    """The cases of a proof, from the evaluated model itself (base with its adapter, float32, as evaluation loads it)."""
    import torch

    loaded = load_model(model, "float32")
    cases = []
    for question in QUESTIONS:
        prompt = list(chat_ids(loaded.tokenizer, [{"role": "user", "content": question}]))
        answer: list[int] = []
        tops: list[tuple[list[int], list[float], float]] = []
        with torch.inference_mode():
            while len(answer) < ANSWER_TOKENS:
                ids = torch.tensor([prompt + answer], device=loaded.model.device)
                row = loaded.model(input_ids=ids, logits_to_keep=1).logits[0, -1].float().cpu()
                values, places = row.topk(TOP)
                tops.append((places.tolist(), values.tolist(), float(row.max() - row.min()) or 1.0))
                answer.append(int(places[0]))
                if answer[-1] in loaded.end_ids:
                    break
        cases.append(
            {
                "question": question,
                "prompt": prompt,
                "answer": answer,
                "text": loaded.tokenizer.decode(answer, skip_special_tokens=True),
                "top_ids": [ids for ids, _, _ in tops],
                "top_logits": [values for _, values, _ in tops],
                "range": [span for _, _, span in tops],
            }
        )
    return cases
