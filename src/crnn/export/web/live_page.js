// The page written by `crnn export MODEL page.html`: only the live page.

{
  const data = JSON.parse(byId("data").textContent);
  let live = null;
  const send = startEngine((answer) => {
    if (answer.type === "ready") {
      live = new Live(data, send);
      live.open();
    } else if (live) {
      live.receive(answer);
      document.body.dataset.ready = "";
    }
  });
  send({ type: "load", model: data.model, weights: byId("weights").textContent });
}
