// What a classifier says of a text: the probability of each label, in the order of the labels.

function createJudge(model, stored) {
  const classifier = new Classifier(model, stored);
  return (text) => classifier.probabilities(text);
}
