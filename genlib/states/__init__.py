"""States: their tokens, which are the truth, and the KV cache pages that hold what has been computed of them.

Read record (the data of a state), cache (the pages of idle states), store (all states by id, and every commit), then
state (the handle that callers hold) and score.
"""
