"""Checkpoint folders in Hugging Face's layout: reading their files and checking them completely before use.

Read fields (typed access to JSON), config (config.json) and rope (rotary embedding), then shards (the safetensors
format), weights (the tensors) and checksum (the fingerprint of their bytes). The tokenizer is in text.
"""
