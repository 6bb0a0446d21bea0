"""The main job from the command line: `python -m pipelines.main_job [--json]`. `preceptor run` starts it.

One Dagster job, in this process, on the instance that the UI shows. Home, profile and configuration come from the
environment. It ends by printing what waits for whom.
"""

import argparse
import json
import os
import sys
import threading
import time
import warnings
from contextlib import AbstractContextManager
from typing import Any

COMMAND_TAG = "preceptor/command"
# What turns a batch into clean documents; all that follows works on all batches together.
BATCH_STAGES = ("raw_documents", "deidentified_documents")


def main(arguments: list[str] | None = None) -> int:
    """Run the pipeline for the corpus and every batch that was not run yet; return the exit code."""
    parser = argparse.ArgumentParser(prog="pipelines.main_job")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--until", metavar="ASSET")
    parser.add_argument(
        "--program", default="preceptor", help="How the next commands begin that are printed."
    )
    options = parser.parse_args(arguments)
    # Libraries and the training process print to standard output; only the result may be there.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.filterwarnings("ignore")
    quieten()
    threading.excepthook = _in_a_thread
    from preceptor import disk
    from preceptor.errors import PreceptorError
    from preceptor.settings import Workspace, default_home, load_settings

    try:
        workspace, settings = Workspace(default_home()), load_settings()
        started = time.monotonic()
        failed = _run_batches(workspace, settings, options.until)
        if failed:
            print(f"Error: {failed}", file=sys.stderr)
            return 3 if "gate" in failed else 1
        result = _made(workspace, options.until) if options.until else _outcome(workspace, settings)
    except PreceptorError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130  # `preceptor run` was interrupted, too, and says so
    except Exception as error:
        # Dagster's own records, which it cannot do without, lie on the same disk.
        home = default_home()
        if not disk.is_full(error, home):
            raise
        print(f"Error: {disk.full(home)}", file=sys.stderr)
        return 1
    result["seconds"] = round(time.monotonic() - started, 1)
    print(
        json.dumps(result, indent=2) if options.json else _said(result, options.program),
        file=answer,
        flush=True,
    )
    return 0


def _in_a_thread(ended: threading.ExceptHookArgs) -> None:
    """Say that a thread ended, such as Dagster's that reads what training says when the disk is full: without its traceback, which
    may quote a note."""
    from assets._shared import shown
    from preceptor.settings import default_home

    if ended.exc_value is not None:
        print(f"A thread ended: {shown(ended.exc_value, default_home())}", file=sys.stderr)


def quieten() -> None:
    """Libraries print progress bars and hints of their own; what a person needs to see, the stages say."""
    for name, value in {
        "TQDM_DISABLE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
        "GX_ANALYTICS_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "PYTHONWARNINGS": "ignore",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
    }.items():
        os.environ.setdefault(name, value)


def _run_batches(workspace: Any, settings: Any, until: str | None) -> str | None:
    """Run the job for the corpus' batch, or for those of the vault, up to an asset; say what failed, or None."""
    os.environ["DAGSTER_HOME"] = str(workspace.prepare_dagster_home())
    import dagster as dg

    from pipelines.definitions import defs
    from pipelines.stage_log import interrupted
    from preceptor.documents.stage import corpus_batch
    from preceptor.errors import PreceptorError
    from preceptor.vault import open_vault

    vault = open_vault(workspace)
    batches = vault.batches()
    corpus = corpus_batch(vault, settings)
    vault.close()
    if corpus and corpus not in batches:
        batches.append(corpus)
    if not batches:
        raise PreceptorError("There is nothing to work on: bring documents in with `preceptor intake PATH`.")
    with _alone(workspace), dg.DagsterInstance.get() as instance:
        _close_killed(instance)
        done = set(instance.get_materialized_partitions(dg.AssetKey("deidentified_documents")))
        # Batches whose documents are through need not be run again, but for the last: what follows reads them all.
        waiting = [b for b in batches if b not in done] or batches[-1:]
        job = defs.resolve_job_def("pipeline")
        for batch in waiting:
            instance.add_dynamic_partitions("batches", [batch])
            print(f"Batch {batch}", file=sys.stderr)
            only = _up_to(until) if batch == waiting[-1] else [dg.AssetKey(stage) for stage in BATCH_STAGES]
            result = job.execute_in_process(
                instance=instance,
                partition_key=batch,
                asset_selection=only,
                tags={COMMAND_TAG: "run"},
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {}}}},
            )
            if any(event.is_step_failure and interrupted(event) for event in result.all_events):
                raise KeyboardInterrupt
            if not result.success:
                return _failure(result)
    return None


def _up_to(asset: str | None) -> list[Any] | None:
    """The asset and all it is made from; None: everything."""
    import dagster as dg

    from pipelines.definitions import defs

    if asset is None:
        return None
    return list(dg.AssetSelection.assets(asset).upstream().resolve(defs.resolve_asset_graph()))


def _alone(workspace: Any) -> AbstractContextManager[None]:
    from preceptor.errors import UsageError
    from preceptor.locks import exclusive

    busy = UsageError(
        f"Another `preceptor run` is at work in {workspace.home}. Wait for it (`preceptor ui` shows how far it is), or name "
        "another --home."
    )
    # Whoever asks whether it is held takes it for an instant.
    return exclusive(workspace.home / "run.lock", busy, patience=1.0)


def _close_killed(instance: Any) -> None:
    """Runs of this command that are still called started were killed: nobody else holds the lock. So were others that have no
    process any more."""
    import dagster as dg

    from pipelines.killed import close_killed
    from resources import WorkspaceResource

    close_killed(instance, WorkspaceResource())
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={COMMAND_TAG: "run"})
    for record in instance.get_run_records(started):
        instance.report_run_failed(record.dagster_run, "It was killed; a later run went on from there.")


def _failure(result: Any) -> str:
    """Why a run failed: the stage and the words of our own error, or the expectations that did not hold."""
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed and evaluation.severity.value == "ERROR":
            return (
                f"the quality gate of {evaluation.asset_key.to_user_string()} failed: {evaluation.description}. "
                "Nothing after it was made. The UI shows its counts; mend the input or the suite in expectations/."
            )
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            data = event.step_failure_data
            said = data.user_failure_data.description if data.user_failure_data else data.error.cls_name
            goes_on = (
                ""
                if "same command" in said
                else " What was done is kept; the same command goes on from there."
            )
            return f"stage {event.step_key} failed: {said}{goes_on}"
    return "the run failed before its first stage; `preceptor ui` shows its events."


def _outcome(workspace: Any, settings: Any) -> dict[str, Any]:
    from preceptor.release.candidates import overview
    from preceptor.release.registry import tracking_of
    from preceptor.release.store import open_store
    from preceptor.release.users import DEMO_APPROVER, ensure_demo_approver, list_users
    from preceptor.versions import newest

    store = open_store(workspace)
    password = ensure_demo_approver(store) if settings.demo_approver else None
    rows = overview(tracking_of(workspace), store, settings.release.required_approvals)
    approvers = [user.name for user in list_users(store) if user.role == "approver" and not user.disabled]
    store.close()
    last = rows[-1]
    waiting = next((r for r in rows if "candidate" in r["aliases"]), None)
    report = newest(workspace.reports, "evaluation")
    return {
        "report": str(report.path / "report.html"),
        "newest": last["ref"],
        "status": last["status"],
        "refused_because": [r["text"] for r in (last["gate"] or {}).get("reasons", ()) if not r["passed"]],
        "waiting": waiting["ref"] if waiting else None,
        "champion": next((r["ref"] for r in rows if "champion" in r["aliases"]), None),
        "approver": DEMO_APPROVER if password else next(iter(approvers), None),
        "demo_approver_password": password,
        "home": str(workspace.home),
    }


def _made(workspace: Any, until: str) -> dict[str, Any]:
    return {"until": until, "home": str(workspace.home)}


def _said(result: dict[str, Any], program: str) -> str:
    if "until" in result:
        return (
            f"Made up to {result['until']}.\nLook at it:    {program} data show\nOpen the UI:   {program} ui"
        )
    lines = ["", f"Evaluation report: {result['report']}"]
    if result["waiting"]:
        lines += [f"Waits for approval: {result['waiting']}", ""]
        if not result["approver"]:
            lines.append(f"Who approves:  {program} users add NAME --role approver")
        lines += [
            f"Approve it:    {program} release approve {result['waiting']} --as {result['approver'] or 'NAME'} "
            '--reason "read the report"',
            f"Promote it:    {program} release promote {result['waiting']}",
        ]
    else:
        lines.append(f"{result['newest']} is {result['status']}; no version waits for approval.")
        lines += [f"  the evaluation gate refused it: {reason}" for reason in result["refused_because"]]
    if result["demo_approver_password"]:
        lines.append(f"The demo approver's password, shown this once: {result['demo_approver_password']}")
    lines.append(f"Open the UI:   {program} ui")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
