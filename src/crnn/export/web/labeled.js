// Models with labels. The function start(label) returns a model and its state before a text with the label.

class LabeledNetwork {
  // `model` has a network, which reads the label's symbol before a text. Labels follow the symbols that it predicts.
  constructor(model, stored) {
    this.network = createModel(model.network, stored);
  }

  start(label) {
    return [this.network, this.network.startAfter(this.network.model.outputs + label)];
  }
}

class LabeledCounts {
  // `model` has the counts of each label.
  constructor(model, stored) {
    this.counts = model.counts.map((part) => createModel(part, stored));
  }

  start(label) {
    return [this.counts[label], this.counts[label].start()];
  }
}

KINDS.set("labeled network", (model, stored) => new LabeledNetwork(model, stored));
KINDS.set("labeled counts", (model, stored) => new LabeledCounts(model, stored));
