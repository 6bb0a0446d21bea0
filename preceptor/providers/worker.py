"""The process that trains with a provider: `python -m preceptor.providers.worker JOB`, JOB being a job.json.

The job at the provider does not hang on it. Started again it finds the job by its state, or by its name there, and follows
it on. It decides itself, each time, whether anything may be sent. What it leaves in the folder: `result.json`.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from preceptor.errors import PreceptorError
from preceptor.locks import exclusive
from preceptor.providers import policy, trail
from preceptor.providers.connection import Connection
from preceptor.providers.finetune import FineTuning, say
from preceptor.providers.stage import RESULT, WHY, Plan, permit_of, plan, result_of, state_of
from preceptor.providers.tracking import tracked
from preceptor.settings import Settings, Workspace
from preceptor.versions import write_atomic

_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run a job to its end; return 0 done, 1 failed, 2 wrong configuration, 3 nothing may be sent, 130 interrupted."""
    (file,) = sys.argv[1:] if arguments is None else arguments
    told = json.loads(Path(file).read_text(encoding="utf-8"))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        run(told)
    except KeyboardInterrupt:
        say("interrupted. A job that was begun goes on at the provider, and the same command follows it again; "
            "'preceptor providers cancel JOB' ends it.")  # fmt: skip
        return _INTERRUPTED
    except PreceptorError as error:
        print(f"Error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def run(told: dict[str, Any]) -> None:
    """Begin or find the job that `told` (a job.json) describes, follow it and write its result.

    Raises `PolicyRefused` if it may not be begun, `PreceptorError` for data that changed, another process at work, or a job
    that did not succeed.
    """
    workspace, settings = Workspace(Path(told["home"])), Settings(**told["settings"])
    planned = plan(workspace, settings, told["provider"])
    if planned.digest != told["digest"]:
        raise PreceptorError(
            "The data changed after this training was planned (rule material-changed): nothing was sent. The same command "
            "plans anew."
        )
    busy = PreceptorError(
        f"Another process follows this training already (rule training-in-progress): {planned.folder}."
    )
    with exclusive(planned.folder / "lock", busy):
        state = state_of(planned)
        permit = permit_of(workspace, settings, planned, state)
        if permit is not None and state.job is not None:
            state.begin_anew()
        with Connection(planned.settings) as connection:
            job = FineTuning(connection, planned.folder, state)
            if permit is not None:
                _note(workspace, settings, planned, permit)
                with trail.noting_refusals(workspace, settings.vault, WHY, planned.provider):
                    job.begin(permit, planned.material)
            job.follow()
        state.run_id = state.run_id or tracked(told["tracking_uri"], told["experiment_id"], planned, state)
        state.keep(planned.folder)
        write_atomic(planned.folder / RESULT, json.dumps(result_of(planned, state), indent=1))


def _note(workspace: Workspace, settings: Settings, planned: Plan, permit: policy.Permit) -> None:
    details = {
        "provider": planned.provider,
        "endpoint": planned.settings.base_url,
        "approval": permit.approval,
        "files": {file: measured.sha256 for file, measured in planned.material.measured.items()},
    }
    trail.note_sent(workspace, settings.vault, WHY, details, planned.material.documents)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
