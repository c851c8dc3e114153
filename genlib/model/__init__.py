"""The language model: what a step computes.

Read base (what the engine requires of a model), decoder (Llama and its relatives, in terms of the operations in ops),
then load (from a checkpoint folder to a LoadedModel).
"""
