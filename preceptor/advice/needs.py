"""What a hospital needs of a model, and what it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from preceptor.advice.running import Workload
from preceptor.planning.prices import Gpu

Deployment = Literal["on-premises", "cloud-baa", "hybrid"]
LicenceNeed = Literal["any", "commercial", "open"]

# A plain server without a GPU: an assumption, for want of a measurement. 32 GiB free, two channels of DDR4, and what PyTorch
# makes of about sixteen cores.
CPU = Gpu(
    memory_mib=32_768,
    bf16_tflops=0.5,
    bandwidth_gb_s=40,
    link_gb_s=1,
    host_gb_s=1,
    watts=200,
    source="an assumption: preceptor/advice/needs.py",
    certain=False,
)


@dataclass(frozen=True, slots=True)
class Needs:
    """`gpu`: a name of the price file, None for none; `gpus` of them. `examples` to tune with, None where that is not said;
    fewer than `min_examples` are prompted with. `exam_like`: the use case is near to what exams ask, as a differential is.
    `budget` in US dollars a month, `latency` in seconds for a whole answer. `languages` by ISO 639-1.
    """

    deployment: Deployment
    load: Workload
    gpu: str | None = None
    gpus: int = 1
    licence: LicenceNeed = "commercial"
    languages: tuple[str, ...] = ("en",)
    examples: int | None = None
    min_examples: int = 5
    exam_like: bool = False
    budget: float | None = None
    latency: float | None = None

    @property
    def tunes(self) -> bool:
        """Whether a model must be one that can be fine-tuned with what there is."""
        return self.examples is None or self.examples >= self.min_examples
