"""Text and tokens: the tokenizer, and what happens to the bytes of generated tokens.

Read tokenizer (text to ids) and spelling (ids to bytes), then utf8 (bytes to text), stops (stop sequences of the
sampling calls) and automaton (stop sequences of beam search).
"""
