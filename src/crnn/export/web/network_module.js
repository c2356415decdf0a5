// The network of a module.

function createNetwork() {
  return new Network(DATA.model, new StoredWeights(WEIGHTS, DATA.model.weights));
}
