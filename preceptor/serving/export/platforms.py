"""The files beside the weights that a platform wants. Only the ones of hf and gguf were run here; the others follow the
platforms' documentation (read 2026-11) and were never deployed from here.

- vLLM: https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html
- Ollama: https://docs.ollama.com/modelfile
- SageMaker: https://sagemaker.readthedocs.io/en/stable/frameworks/pytorch/using_pytorch.html (model.tar.gz, code/inference.py)
- Azure ML: https://learn.microsoft.com/azure/machine-learning/how-to-deploy-online-endpoints (score.py, init and run)
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from pathlib import Path
from typing import Any

_CHATML = re.compile(
    r"(?:<\|im_start\|>system\n(?P<system>.*?)<\|im_end\|>\n)?<\|im_start\|>user\nQ<\|im_end\|>\n<\|im_start\|>assistant\n",
    re.DOTALL,
)
_ANSWER = '''
import json

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def load(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    if torch.cuda.is_available():
        model = model.to("cuda")
    return model, AutoTokenizer.from_pretrained(folder)


def answer(loaded, asked):
    """{"messages": […], "max_tokens": 256} -> {"content": …}; greedy, as the model was evaluated."""
    model, tokenizer = loaded
    ids = tokenizer.apply_chat_template(
        asked["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(model.device)
    with torch.inference_mode():
        out = model.generate(**ids, max_new_tokens=min(int(asked.get("max_tokens", 256)), 1024), do_sample=False)
    new = out[0, ids["input_ids"].shape[1] :]
    return {"content": tokenizer.decode(new, skip_special_tokens=True), "completion_tokens": len(new)}
'''
_SAGEMAKER = """

def model_fn(model_dir, context=None):
    return load(model_dir)


def input_fn(body, content_type):
    if content_type != "application/json":
        raise ValueError("application/json is expected")
    return json.loads(body)


def predict_fn(asked, loaded):
    return answer(loaded, asked)


def output_fn(said, accept):
    return json.dumps(said)
"""
_AZURE = """
import os

LOADED = None


def init():
    global LOADED
    LOADED = load(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model"))


def run(body):
    return answer(LOADED, json.loads(body))
"""


def requirements() -> str:
    """The libraries of the proof, at the versions that the model was evaluated with."""
    return "".join(
        f"{name}=={importlib.metadata.version(name)}\n" for name in ("torch", "transformers", "safetensors")
    )


def vllm_files(folder: Path, name: str) -> None:
    (folder / "serve.sh").write_text(
        "#!/bin/sh\n# One GPU; keys come from the environment: VLLM_API_KEY=… sh serve.sh\n"
        'cd "$(dirname "$0")" || exit 1\n'
        ': "${VLLM_API_KEY:?set VLLM_API_KEY to a secret of your own}"\n'
        "export VLLM_NO_USAGE_STATS=1 HF_HUB_OFFLINE=1\n"
        f'exec vllm serve ./model --served-model-name {name} --host "${{HOST:-127.0.0.1}}" --port "${{PORT:-8000}}" "$@"\n'
    )


def ollama_files(folder: Path, tokenizer: Any, gguf_name: str) -> None:
    """The Modelfile. Ollama's templates are Go's, so only one that is ChatML can be said; another is left to what Ollama
    recognises in the GGUF, and the file says so."""
    lines = [f"FROM ./{gguf_name}", "PARAMETER temperature 0"]
    asked = [{"role": "user", "content": "Q"}]
    told = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    if found := _CHATML.fullmatch(told):
        lines.append(
            'TEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}'
            '<|im_start|>assistant\n"""'
        )
        lines.append('PARAMETER stop "<|im_end|>"')
        if found["system"] and '"""' not in found["system"]:
            lines.append(f'SYSTEM """{found["system"]}"""')
    else:
        lines.append(
            "# The chat template is in the GGUF (tokenizer.chat_template): check with `ollama show --template`."
        )
    (folder / "Modelfile").write_text("\n".join(lines) + "\n", encoding="utf-8")


def sagemaker_files(code: Path) -> None:
    code.mkdir()
    (code / "inference.py").write_text(_ANSWER.lstrip() + _SAGEMAKER, encoding="utf-8")
    (code / "requirements.txt").write_text(
        requirements().replace("torch==", "# torch comes with the image; evaluated with torch==")
    )


def azure_files(folder: Path, name: str) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "score.py").write_text(_ANSWER.lstrip() + _AZURE, encoding="utf-8")
    packages = requirements().splitlines()
    environment = {
        "name": name,
        "channels": ["conda-forge"],
        "dependencies": ["python=3.11", "pip", {"pip": [*packages, "azureml-inference-server-http"]}],
    }
    # JSON is YAML, and needs no second way of quoting.
    (folder / "conda.yaml").write_text(json.dumps(environment, indent=1) + "\n")
    deployment = {
        "$schema": "https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json",
        "name": "blue",
        "endpoint_name": name,
        "model": {"path": "."},
        "code_configuration": {"code": "code", "scoring_script": "score.py"},
        "environment": {
            "conda_file": "conda.yaml",
            "image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04",
        },
        "instance_type": "Standard_DS4_v2",
        "instance_count": 1,
    }
    endpoint = {
        "$schema": "https://azuremlschemas.azureedge.net/latest/managedOnlineEndpoint.schema.json",
        "name": name,
        "auth_mode": "key",
        "public_network_access": "disabled",
    }
    (folder / "deployment.yml").write_text(json.dumps(deployment, indent=1) + "\n")
    (folder / "endpoint.yml").write_text(json.dumps(endpoint, indent=1) + "\n")
