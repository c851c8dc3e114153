"""A machine that runs PTX, as Triton compiles it, on the CPU: to see what compiled kernels do where there is no GPU.

In reading order: parse, operations, table (what each instruction computes), slots (registers), memory (and the faults
that it finds), steps (instructions that touch it), decode, machine; launch puts it in the place of Triton's launches,
cases and controls are what is run. `cd tests && TRITON_INTERPRET=0 python -m ptx.cases 90:random` runs a case.
"""
