"""The reference implementation of the compiled kernels, in NumPy and written to be read.

The tests compare the kernels with it, and ``docs/mathematics.md`` explains its equations. It also computes the states'
gradients after each symbol, which training does not keep. The library never falls back on it, because it is slow.

The modules compute what the kernels of the same name do: `network` the forward and backward passes, the training step,
the gradients of a text's states and dynamic evaluation, `optimizers` clipping and the updates, `dropout` the masks,
`sampling` the controls of sampling. The letters are the same as in the kernels: T time steps, B streams, H hidden
units, V symbols, L layers, G gates. Matrices are (input, output), so ``y = x @ W``.
"""
