"""A small LSTM language model in JAX on which tricks are tried: `python -m benchmarks.trials FILE`.

`lstm` is the model and `training` its training, both as `CharRNN.recommended` has them for short times. `tricks` and
`tables` change one method of either at a time. JAX is imported with these modules, so ask `benchmarks.peers.available`
first.
"""
