"""Every command that the documentation shows does what it says, on a home that the pipeline made, in the order of the pages."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import shutil
import string
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest
import yaml

from preceptor.backup import restore
from preceptor.cli import main
from preceptor.settings import Workspace
from tests.pipeline.documented import BEFORE, BEGINS_ANEW, COMMANDS, FILLED, NOT_RUN, ROOT, Command
from tests.providers.conftest import KEY, KEY_ENV, StandIn, provider_settings

PASSWORD = "correct horse battery"
RUN = [command for command in COMMANDS if command.text not in NOT_RUN]


class Story:
    """A copy of the pipeline's home, the folder that the commands are typed in, and what they need to be told."""

    def __init__(self, folder: Path, config: Path, backup: Path, stand_in: StandIn, setenv) -> None:
        self.folder, self.config, self.backup, self.stand_in = folder, config, backup, stand_in
        self.setenv, self.new_key, self.new_home = setenv, folder / "new.key", folder / "new-home"
        self.begun: set[str] = set()
        self.begin_anew()
        (folder / "recipes").symlink_to(ROOT / "recipes")
        settings = yaml.safe_load(config.read_text())
        # A note that the vault has: nothing that follows is made anew.
        documents = Path(settings["corpus"])
        self.documents = folder / "notes"
        self.documents.mkdir()
        rows = [json.loads(line) for line in Path(settings["corpus_records"]).read_text().splitlines()]
        row = next(r for r in rows if r["kind"] == "document" and r["file"].endswith(".txt"))
        shutil.copy(documents / row["file"], self.documents)
        known = [r for r in rows if r["patient_id"] == row["patient_id"] and r["kind"] == "patient"]
        (folder / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in (*known, row)))
        self.patient = row["patient_id"]

    def begin_anew(self) -> None:
        """A home in which nothing has been decided since the pipeline ended."""
        self.home = self.folder / f"home-{len(self.begun)}"
        restore(self.backup, Workspace(self.home))
        self.setenv("PRECEPTOR_HOME", str(self.home))

    @property
    def benchmarks(self) -> Path:
        folder = self.folder / "benchmarks"
        (folder / "pubmedqa").mkdir(parents=True, exist_ok=True)
        (folder / "mts-dialog").mkdir(exist_ok=True)
        row = {"id": "q", "question": "Does it help?", "contexts": ["Many improved."], "answer": "yes"}
        (folder / "pubmedqa" / "test-dev.jsonl").write_text(json.dumps(row) + "\n")
        talk = {"id": "m", "section": "CC", "dialogue": "Doctor: Hello.", "section_text": "Cough."}
        (folder / "mts-dialog" / "test1.jsonl").write_text(json.dumps(talk) + "\n")
        return folder

    @property
    def document(self) -> str:
        return self.ask("deid", "review", "list")["open"][0]["document"]

    @property
    def job(self) -> str:
        return self.ask("providers", "jobs")[0]["job"]

    @property
    def trained(self) -> str:
        return (self.home / "models" / "model" / "latest").read_text().strip()

    def ask(self, *arguments: str):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), pytest.raises(SystemExit):
            main([*arguments, "--json"])
        return json.loads(said.getvalue())

    def settings_for(self, command: Command) -> dict:
        """What the text of the page has put into the configuration by then."""
        ours = {"providers": {"ours": provider_settings(self.stand_in.port)}}
        if "--for synthesis" in command.text:
            return ours | {"synthesis": {"generator": "provider", "provider": "ours"}}
        if "--for evaluation" in command.text:
            arms = {"arms": ["base", "endpoint"], "endpoint": "ours"}
            return ours | {"evaluation": arms}
        if command.page == "docs/providers.md":
            return ours
        if command.text.startswith("preceptor storage"):
            return {"storage": {"url": f"file://{self.folder}/store"}}
        if command.text.startswith("preceptor train --recipe"):
            return {"training": {"overrides": {"max_steps": 1, "checkpoint_steps": 1}}}
        return {}

    def configure(self, command: Command) -> None:
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(self.config.read_text()) | self.settings_for(command)))
        self.setenv("PRECEPTOR_CONFIG", str(path))
        if self.new_key.exists():
            self.setenv("PRECEPTOR_MASTER_KEY_FILE", str(self.new_key))
        if command.text.endswith("--to age"):
            identity = self.folder / "identity.txt"
            identity.touch(0o600)
            identity.write_text(f"{pyrage.x25519.Identity.generate()}\n")
            self.setenv("PRECEPTOR_AGE_IDENTITY_FILE", str(identity))


@pytest.fixture(scope="module")
def story(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("documented")
    server = StandIn(folder / "stand-in")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PRECEPTOR_PROFILE", "smoke")
        patch.setenv(KEY_ENV, KEY)
        made = Story(folder, finished.config, finished.backup, server, patch.setenv)
        for name, role in (("ana", "approver"), ("pia", "privacy")):
            type_in(f"preceptor users add {name} --role {role}", patch)
        yield made
    server.stop()


def type_in(text: str, patch: pytest.MonkeyPatch) -> int:
    """Type a command as a person does, with the password on standard input; returns the exit code."""
    if ">" in text:
        return subprocess.run(["sh", "-c", text], check=False).returncode
    program, *arguments = shlex.split(text)
    if program == "python":
        program = sys.executable
    if program != "preceptor":
        return subprocess.run([program, *arguments], check=False).returncode
    if "--as" in arguments or arguments[:2] == ["users", "add"]:
        arguments.append("--password-stdin")
    patch.setattr(sys, "stdin", io.StringIO(PASSWORD + "\n"))
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def filled(command: Command, story: Story) -> str:
    text = FILLED.get(command.text, command.text)
    names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    return text.format(**{name: getattr(story, name) for name in names})


@pytest.mark.parametrize("command", RUN, ids=str)
def test_it_runs(command, story, monkeypatch, capfd):
    story.configure(command)
    if command.page not in story.begun:
        story.begun.add(command.page)
        if command.page in BEGINS_ANEW:
            story.begin_anew()
        for earlier in BEFORE.get(command.page, ()):
            assert type_in(earlier, monkeypatch) == 0, capfd.readouterr().err
    text = filled(command, story)
    if text.startswith("make "):
        text = f"make --dry-run -C {ROOT} {text.removeprefix('make ')}"
    code = type_in(text, monkeypatch)
    said = capfd.readouterr()
    assert code == command.code, f"{text}\n{said.out[-1500:]}\n{said.err[-1500:]}"


def test_what_is_listed_is_shown():
    shown = {command.text for command in COMMANDS}
    assert set(NOT_RUN) - shown == set()
    assert set(FILLED) - shown == set()
    assert set(BEFORE) - {command.page for command in COMMANDS} == set()
    assert all(NOT_RUN.values())
