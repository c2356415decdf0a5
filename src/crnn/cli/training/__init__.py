"""What only `crnn train` needs: counts, mixtures, checkpoints and several processes."""
