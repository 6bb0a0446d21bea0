"""The papers stage of the pipeline: those of the version that was evaluated last."""

from __future__ import annotations

from preceptor.errors import PreceptorError
from preceptor.papers.bundle import Papers, folder_of, write_papers
from preceptor.papers.facts import gather
from preceptor.release.registry import Tracking, list_versions
from preceptor.release.store import Store
from preceptor.settings import Settings, Workspace
from preceptor.versions import latest


def papers_of_last(workspace: Workspace, settings: Settings, tracking: Tracking, store: Store) -> Papers:
    """Write the papers of the version that was evaluated last among the reports; those of the same facts are left as they are.

    Raises `PreceptorError` if no version is registered yet.
    """
    versions = list_versions(tracking, settings.release.model_name)
    if not versions:
        raise PreceptorError("No model version is registered yet: `preceptor run` makes one.")
    evaluation = latest(workspace.reports, "evaluation")
    evaluated = [version for version in versions if evaluation and version.evaluation == evaluation.name]
    facts = gather(workspace, settings, tracking, store, (evaluated or versions)[-1].ref)
    return write_papers(facts, folder_of(workspace, facts.ref))
