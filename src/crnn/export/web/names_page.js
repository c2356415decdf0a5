// The page written by `crnn export MODEL page.html` for a model of documents. The live page starts when it is opened.

{
  const data = JSON.parse(byId("data").textContent);
  let names = null;
  let live = null;
  const send = startEngine((answer) => {
    if (answer.type === "ready") names = new Names(data, send);
    else if (answer.text === "names") names.receive(answer);
    else if (live) live.receive(answer);
  });
  byId("inside").addEventListener("toggle", () => {
    if (live || !names) return;
    live = new Live(data, send);
    live.open();
  });
  send({ type: "load", model: data.model, weights: byId("weights").textContent, filter: data.filter, codes: data.vocabulary.codes });
}
