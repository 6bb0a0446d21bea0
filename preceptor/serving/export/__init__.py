"""Deployment bundles of a version: for other servers, each with card, provenance, checksums and a proof.

- `bundle`: makes one, whole or not at all; `policy`: which kind may be made for which place
- `gguf_file`: a Llama-like checkpoint as GGUF; `platforms`: the files of vLLM, Ollama, SageMaker and Azure ML
- `proof`: questions with the evaluated model's logits; `prove`: the script that goes along and asks the bundle
"""
