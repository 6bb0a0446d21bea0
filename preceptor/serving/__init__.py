"""The champion in use: an OpenAI-compatible server that follows an alias, and export of deployment bundles.

- `traffic`: what was asked and answered, in numbers (green), for monitoring; `transcripts`: the texts (red, in the vault)
- `versions`, `follower`: which version answers, loaded beside the old one and swapped; `sharing`: adapters on one base
- `engine`, `lanes`, `sampling`, `pieces`: requests that arrive together are decoded together; `vllm`: the same by vLLM
- `protocol`, `prompts`, `gateway`, `limits`, `api_keys`, `metrics`, `rag`: the server itself
- `export`: bundles for other servers, each with a proof
"""
