"""The process that trains trial after trial: its libraries take longer to load than a brief trial to train."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType

from preceptor.settings import TrainingSettings
from preceptor.training.jobs import DONE, TrainingJob, command, environment, serving_command


class Trainer:
    """Trains jobs one at a time, all in one process until a training fails; jobs of several processes each in their own.

    To be closed, as a context manager: by an error it ends the process at once, which costs the steps since a checkpoint.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self._launcher, self._hostfile = settings.launcher, settings.hostfile
        self._process: subprocess.Popen[str] | None = None

    def train(self, job: TrainingJob) -> int:
        """The exit code of the training: 0 if it came to its end; negative if a signal ended it."""
        if job.processes > 1 or self._hostfile or self._launcher not in ("auto", "local"):
            # Libraries print to standard output, which belongs to the result.
            return subprocess.run(
                command(job, self._launcher, hostfile=self._hostfile),
                env={**os.environ, **environment(job)},
                stdout=subprocess.DEVNULL,
                check=False,
            ).returncode
        if self._process is None or self._process.poll() is not None:
            self._process = _started(job)
        process = self._process
        assert process.stdin and process.stdout
        process.stdin.write(f"{Path(job.folder) / 'job.json'}\n")
        process.stdin.flush()
        for line in process.stdout:
            if line.strip().endswith(DONE):  # a library may have begun the line
                return 0
        self._process = None
        return process.wait()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        if error is not None:
            self._process.kill()
        self._process.communicate()  # it ends where its input does


def _started(job: TrainingJob) -> subprocess.Popen[str]:
    return subprocess.Popen(
        serving_command(),
        env={**os.environ, **environment(job)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
