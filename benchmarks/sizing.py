"""`preceptor size` against figures that others published: `python benchmarks/sizing.py` prints the tables of docs/sizing.md.

It reckons and measures nothing; the figures, their settings and sources are in benchmarks/published.yaml.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402

from preceptor.models import Architecture, load_catalogue  # noqa: E402
from preceptor.planning.memory import memory  # noqa: E402
from preceptor.planning.plan import Plan  # noqa: E402
from preceptor.planning.prices import load_prices  # noqa: E402
from preceptor.planning.speed import effort, speed  # noqa: E402

FILE = ROOT / "benchmarks" / "published.yaml"


@dataclass(frozen=True, slots=True)
class Series:
    """Figures of one source with one model and method, each with ours: `memory` in the unit of the source, `used` the share
    of the GPUs' peak that a speed amounts to, by our count of operations."""

    source: str
    said: str
    seq: list[int]
    memory: list[tuple[float, float]]
    used: list[float]
    within: float
    why: str

    @property
    def misses(self) -> list[float]:
        """By how much ours is above the published figure, as shares of it."""
        return [ours / theirs - 1 for theirs, ours in self.memory]


def series() -> Iterator[Series]:
    """Every series of the file."""
    told = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    gpus = load_prices().gpus
    known = {name: entry.architecture for name, entry in load_catalogue().items() if entry.architecture}
    known |= {name: Architecture(**facts) for name, facts in told["models"].items()}
    for row in told["series"]:
        architecture = known[row["model"]]
        targets = row["plan"].get("targets", "all-linear")
        like = Plan(**row["plan"] | {"targets": targets if isinstance(targets, str) else tuple(targets)})
        plans = [replace(like, seq=seq) for seq in row["seq"]]
        unit = 1e9 if row.get("unit") == "GB" else 2**30
        needs = [memory(architecture, plan) for plan in plans]
        ours = [(n.allocated if row["counts"] == "allocated" else n.total) / unit for n in needs]
        used = [
            measured
            * effort(architecture, plan).operations
            / (gpus[row["gpu"]].bf16_tflops * 1e12 * plan.gpus)
            for measured, plan in zip(row.get("speed", ()), plans, strict=False)
        ]
        yield Series(
            row["source"],
            f"{row['model'].removesuffix('-instruct')}, {row['said']}",
            row["seq"],
            list(zip(row["memory"], ours, strict=True)),
            used,
            row.get("within", 0.15),
            row.get("why", ""),
        )


def table(found: list[Series]) -> str:
    """The comparison as Markdown."""
    lines = [
        "| source | model and method | tokens a row | GiB published | ours | miss | share of the peak |",
        "|---|---|---|---|---|---|---|",
    ]
    for s in found:
        cells = (
            s.source,
            s.said + (f"; *{s.why}*" if s.why else ""),
            " ".join(f"{n:,}" for n in s.seq),
            " ".join(f"{theirs:g}" for theirs, _ in s.memory),
            " ".join(f"{ours:.1f}" for _, ours in s.memory),
            " ".join(f"{miss:+.0%}" for miss in s.misses),
            " ".join(f"{share:.2f}" for share in s.used),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


# What docs/sizing.md answers, in the words of the command.
ASKED = (
    *(
        (f"llama-3.1-8b --method {method} --gpu {gpu}{more}", "llama-3.1-8b-instruct", gpu, plan)
        for gpu, cases in {
            "rtx-4090": (
                ("lora", "", Plan("lora")),
                ("lora", " --checkpointing", Plan("lora", checkpointing=True)),
                ("qlora", "", Plan("qlora")),
                ("qlora", " --checkpointing", Plan("qlora", checkpointing=True)),
                ("full", " --checkpointing", Plan("full", checkpointing=True)),
            ),
            "h100": (
                ("lora", "", Plan("lora")),
                ("qlora", "", Plan("qlora")),
                ("full", " --checkpointing", Plan("full", checkpointing=True)),
                ("full", " --checkpointing --states bf16", Plan("full", checkpointing=True, states="bf16")),
                ("lora", " --gpus 8 --zero 2", Plan("lora", gpus=8, zero=2)),
                ("qlora", " --gpus 8 --zero 2", Plan("qlora", gpus=8, zero=2)),
                ("full", " --gpus 8 --zero 3", Plan("full", gpus=8, zero=3)),
            ),
        }.items()
        for method, more, plan in cases
    ),
    (
        "llama-3.1-70b --method lora --gpu h100 --gpus 8 --zero 3",
        "llama-3.1-70b-instruct",
        "h100",
        Plan("lora", gpus=8, zero=3),
    ),
    (
        "llama-3.1-70b --method lora --gpu h100 --gpus 8 --zero 3 --checkpointing",
        "llama-3.1-70b-instruct",
        "h100",
        Plan("lora", gpus=8, zero=3, checkpointing=True),
    ),
    (
        "mixtral-8x7b --method qlora --gpu h100 --checkpointing",
        "mixtral-8x7b-instruct-v0.1",
        "h100",
        Plan("qlora", checkpointing=True),
    ),
    (
        "mixtral-8x7b --method qlora --gpu h100 --checkpointing --quantised-experts",
        "mixtral-8x7b-instruct-v0.1",
        "h100",
        Plan("qlora", checkpointing=True, quantised_experts=True),
    ),
)


def answers() -> str:
    """The command's answers to `ASKED` as Markdown, in GiB a GPU."""
    catalogue, gpus = load_catalogue(), load_prices().gpus
    lines = [
        "| `preceptor size --model …` | weights | gradients | optimizer | activations | logits | communication | overhead | "
        "total | of | | tokens/s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for words, model, gpu, plan in ASKED:
        architecture = catalogue[model].architecture
        assert architecture
        needs, has = memory(architecture, plan), gpus[gpu].memory
        rate = speed(effort(architecture, plan), plan, gpus[gpu])
        cells = [f"`{words}`", *(f"{size / 2**30:.1f}" for size in (*needs.parts.values(), needs.total, has))]
        verdict = "fits" if needs.total <= has else "**does not fit**"
        lines.append("| " + " | ".join([*cells, verdict, f"{rate.tokens_per_second:,.0f}"]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(list(series())), answers(), sep="\n\n")
