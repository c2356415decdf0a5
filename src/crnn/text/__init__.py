"""From texts to ids: symbols, sources, documents and the streams for training."""
