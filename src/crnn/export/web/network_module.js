// The model of a module or page: a network.

function createNetwork(model, weights) {
  return new Network(model, new StoredWeights(weights, model.weights));
}
