"""What the sampler and the beam step share: a row of logits, its tiles, its masses, its keys, and launches.

Read sizes, mass, keys, tiles, launcher.
"""
