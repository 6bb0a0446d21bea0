"""A home with a registry, a tiny base model and adapters on it; servers over real HTTP on the loopback."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from preceptor.models.sources import checkpoint_digest
from preceptor.release import users
from preceptor.release.candidates import submit
from preceptor.release.mlflow_client import reaching
from preceptor.release.promotion import promote
from preceptor.release.registry import CANDIDATE, set_alias, tracking_of
from preceptor.release.signatures import approve
from preceptor.release.store import open_store
from preceptor.settings import ServingSettings, Settings, Workspace
from preceptor.versions import write_atomic
from tests.release.conftest import PASSED, VALIDITY

PASSWORD = "correct horse battery"


def _from_evaluation():
    import importlib.util

    path = Path(__file__).parent.parent / "evaluation" / "conftest.py"
    spec = importlib.util.spec_from_file_location("evaluation_conftest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def maker():
    return _from_evaluation()


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory, maker) -> Path:
    return maker.make_checkpoint(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def make_adapter(tmp_path_factory, base_folder):
    def make(seed: int, **config) -> Path:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.manual_seed(seed)
        lora = LoraConfig(
            r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False, **config
        )
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(base_folder), lora)
        folder = tmp_path_factory.mktemp("adapters") / f"adapter-{seed}"
        model.save_pretrained(folder)
        return folder

    return make


class Home:
    """A workspace whose registry has versions 1, 2, … of `preceptor`, each an adapter of its own."""

    def __init__(self, folder: Path, base: Path, make_adapter, database: Path) -> None:
        self.workspace, self.base = Workspace(folder), base
        # float32 always: the same answers as `generate` on any machine
        write_atomic(self.workspace.reports / ".answers" / "number-format.json", '{"dtype": "float32"}')
        self.workspace.mlflow.mkdir(parents=True, mode=0o700)
        shutil.copy(database, self.workspace.mlflow / "mlflow.db")
        self.tracking, self.store = tracking_of(self.workspace), open_store(self.workspace)
        users.add(self.store, "ana", "approver", PASSWORD, actor="operator:test")
        self.make_adapter = make_adapter
        self.adapters: dict[int, Path] = {}

    def version(self, seed: int):
        adapter = self.make_adapter(seed)
        bundle = {
            "data": {"curated": "aaaaaaaaaaaa-11111111", "synthetic": "bbbbbbbbbbbb-22222222"},
            "recipe": {"method": "lora", "rank": 4},
            "code": "0.1.0",
            "lock": "sha256:00",
            "base_model": {"name": str(self.base), "digest": checkpoint_digest(self.base)},
            "evaluation": {
                "version": "cccccccccccc-33333333",
                "n_cases": 12,
                "headline": {},
                "comparisons": {},
            },
            "seeds": {"training": seed},
        }
        info = submit(self.tracking, self.store, "preceptor", None, adapter, bundle, PASSED, actor="test")
        self.adapters[info.version] = adapter
        return info

    def crown(self, info) -> None:
        approve(self.tracking, self.store, info.ref, as_user="ana", password=PASSWORD, reason="good")
        promote(self.tracking, self.store, info.ref, required=1, validity=VALIDITY, actor="test")

    def candidate(self, info) -> None:
        set_alias(self.tracking, "preceptor", CANDIDATE, info.version)

    def expected(self, version: int, messages, new: int) -> str:
        """What Transformers' own generate answers with the adapter."""
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.base)
        model = AutoModelForCausalLM.from_pretrained(self.base)
        model = PeftModel.from_pretrained(model, str(self.adapters[version])).merge_and_unload()
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        with torch.inference_mode():
            out = model.generate(torch.tensor([list(ids)]), max_new_tokens=new, do_sample=False)
        return tokenizer.decode(out[0, len(ids) :], skip_special_tokens=True)


@pytest.fixture(scope="session")
def database(tmp_path_factory) -> Path:
    """An empty MLflow database, migrated once: that takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with reaching(f"sqlite:///{path}") as client:
        client.search_registered_models()
    return path


@pytest.fixture(scope="session")
def home(tmp_path_factory, base_folder, make_adapter, database) -> Home:
    made = Home(tmp_path_factory.mktemp("home"), base_folder, make_adapter, database)
    made.crown(made.version(1))
    return made


@contextmanager
def serving(home: Home, plan=None, **changes):
    """A running server; yields its client, its address and itself."""
    from preceptor.serving.follower import Plan
    from preceptor.serving.running import Server, uvicorn_server

    rag = changes.pop("rag", False)
    values = {"port": 0, "follow_seconds": 0.1, "max_new_tokens": 64, "requests_per_minute": 100_000}
    values["leak_check"] = False  # the tagger takes seconds to load; tests/serving/test_looking.py looks
    settings = Settings(serving=ServingSettings(**values | changes))
    server = Server(home.workspace, settings, plan or Plan("preceptor@champion"), rag=rag)
    server.start()
    listening, address = threading.Event(), []

    def ready(where: str) -> None:
        address.append(where)
        listening.set()

    web = uvicorn_server(server, settings.serving, ready)
    thread = threading.Thread(target=web.run, daemon=True)
    thread.start()
    assert listening.wait(30)
    try:
        with httpx.Client(base_url=address[0], timeout=60) as client:
            yield SimpleNamespace(client=client, address=address[0], server=server, web=web)
    finally:
        web.should_exit = True
        thread.join(timeout=30)
        server.stop()


@pytest.fixture(scope="session")
def serve_home():
    return serving


@pytest.fixture(scope="module")
def running(home):
    with serving(home) as found:
        yield found


@pytest.fixture
def wait_until():
    def wait(condition, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.02)

    return wait
