"""What the sampler and the beam step share: a row of logits, its tiles, its masses and keys, and launches.

Read, of the GPU's part: sizes, mass, keys, tiles, threshold, lists, launcher. Of the host's: logits, threads.

Names in all kernels:

    s        a row of logits [S, V], and of every buffer with a place for each row. int64: s · V may exceed 2³¹
    tile     one of a row's tiles, 0 to T; tiles: T
    ids      token ids, int32; token: one of them; first, firsts: the first of several that are consecutive
    at       a place in a buffer; places: places on a list, of which those beyond its room are only counted
    rank     places in an order, from 0
    n        how many entries a list has
    x, z, y  a logit as it came; the value it is drawn by; the base-2 logarithm of its relative probability
    peak     the largest of a row, or of a tile
    key      a token's place in the order of all; boundary: the lowest key that is kept; low, high: keys around it
    slot     a search, of all; search: where its rows are; lanes: its first lane; lane: a beam, counted from that

Shapes: S rows, V tokens, T tiles of a row, E edits, N most likely tokens, B searches, K beams of a search, U blocks of
a row. Buffers come in NamedTuples, whose fields carry their shapes: `Work` and `BeamWork`, `Changes`, `Settings`,
`Outputs`, `Searches`. PLAIN, LISTS, TRUNCATES, LOG_SIZE are constants that a kernel is compiled for.
"""
