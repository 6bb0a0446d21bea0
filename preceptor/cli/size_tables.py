"""What `preceptor size` prints for people."""

from __future__ import annotations

from typing import Any

from preceptor.cli._common import columns

_SHOWN = 12  # rows of other plans; --json has all


def said(answer: dict[str, Any]) -> str:
    """The document of `preceptor.planning.document` in words and tables."""
    model, memory, gpu = answer["model"], answer["memory"], answer["gpu"]
    parts = [(name, _gib(size)) for name, size in memory.items() if name not in ("total", "host")]
    verdict = ("fits, but barely" if answer["tight"] else "fits") if answer["fits"] else "does NOT fit"
    lines = [
        f"{model['name']}: {model['parameters'] / 1e9:,.2f} billion parameters",
        answer["plan"]["said"],
        "",
        columns([*parts, ("total", _gib(memory["total"]))], ("memory a GPU", "GiB")),
        f"{verdict}: {gpu['name']} has {_gib(gpu['memory'])} GiB",
    ]
    if memory["host"]:
        lines.append(f"memory of the machine for what is offloaded: {_gib(memory['host'])} GiB")
    speed = answer["speed"]
    lines += [
        "",
        f"{speed['tokens_per_second']:,.0f} tokens/s, held up by {speed['bound']}, at an assumed "
        f"{speed['mfu_assumed']:.0%} of the peak; {answer['hours']:,.2f} hours for {answer['tokens']:,.0f} tokens",
        "",
        _costs(answer),
        _rent_or_buy(answer["rent_or_buy"]),
        _serving(answer["serving"]),
    ]
    if answer["instead"]:
        lines += ["", "What fits instead:", _plans(answer["instead"])]
    if answer["search"]:
        others = answer["search"]["others"]
        lines += [
            "",
            f"The cheapest of {answer['search']['tried']:,} plans that were tried. By method and GPUs:",
        ]
        lines += [_plans(others[:_SHOWN])]
        lines += [
            "",
            "What is against others, first of each method:",
            _plans(_against(others)),
        ]
    return "\n".join([*lines, "", *(f"- {note}" for note in answer["notes"])])


def _costs(answer: dict[str, Any]) -> str:
    if not answer["costs"]:
        return "No provider of the price file rents so many of these GPUs in one machine."
    rows = [
        (
            c["title"],
            f"{c['machines']} x {c['machine']}" if c["machines"] > 1 else c["machine"],
            _dollars(c["per_hour"]),
            _dollars(c["cost"]),
            c["as_of"] + ("" if c["certain"] else ", not certain"),
            {True: "yes", False: "no", None: "unknown"}[c["baa"]],
        )
        for c in answer["costs"]
    ]
    return columns(rows, ("provider", "machine", "$ an hour", "$ in all", "price of", "signs a BAA"))


def _rent_or_buy(found: dict[str, Any] | None) -> str:
    if found is None:
        return "rent or buy: the price file has no such machine to buy, or no rent to compare it with"
    if found["price"] is None:
        return f"rent or buy: the price of {found['machine']} is unknown"
    when = found["cheaper_from_month"]
    told = f"cheaper from month {when} on" if when else "never cheaper"
    if found["hours_per_month_to_pay"]:
        told += (
            f"; within {found['months']} months from {found['hours_per_month_to_pay']:,.0f} hours a month on"
        )
    return (
        f"rent or buy: {found['machine']} at {_dollars(found['price'])} $ ({found['as_of']}"
        f"{'' if found['certain'] else ', not certain'}), at {found['hours_per_month']:,.0f} hours a month: {told}"
    )


def _serving(found: dict[str, Any]) -> str:
    return (
        f"answering: {found['sequences']} sequences of {found['length']:,} tokens take {_gib(found['total'])} GiB (weights "
        f"{_gib(found['weights'])}, cache {_gib(found['cache'])}), {found['gpus']} such GPU"
        f"{'s' if found['gpus'] > 1 else ''}; about {found['tokens_per_second']:,.0f} tokens/s at most"
    )


def _plans(plans: list[dict[str, Any]]) -> str:
    rows = [
        (
            p["method"],
            f"{p['gpus']} x {p['gpu']}",
            p["zero"],
            p["offload"],
            "on" if p["checkpointing"] else "off",
            p["micro_batch"],
            _gib(p["total"]),
            f"{p['hours']:,.2f}",
            _dollars(p["cost"]),
            p["why"] or p["provider"],
        )
        for p in plans
    ]
    head = ("method", "GPUs", "ZeRO", "offload", "checkpt.", "rows", "GiB", "hours", "$", "")
    return columns(rows, head)


def _against(plans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for plan in plans:
        if plan["why"]:
            found.setdefault(plan["method"], []).append(plan)
    return [plan for of_method in found.values() for plan in of_method[:3]]


def _gib(size: float) -> str:
    return f"{size / 2**30:,.1f}"


def _dollars(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f}"
