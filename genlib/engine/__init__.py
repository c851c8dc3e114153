"""The engine: the one thread that steps, and what decides which sequences are in a step.

Read options and limits (what is checked before a model is loaded, and before a call starts), engine (the owner of
everything), loop (the thread), scheduler (which sequences run), line (who waits for room in its queue), batch (the
buffers of a step), then stats.
"""
