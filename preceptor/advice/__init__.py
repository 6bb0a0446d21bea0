"""Advice: which model for stated needs; prompt, RAG or fine-tuning for a use case; a service or machines of one's own."""
