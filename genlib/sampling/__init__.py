"""How tokens are drawn: what the caller asks for, and what of it the sampler reads in each step.

Read params (the caller's parameters), masks (which tokens may be drawn), edits (biases and penalties), row (the
sampler's buffers), then sampler, which keeps a sequence's rows up to date, and token (what was drawn).
"""
