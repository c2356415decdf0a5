// The page that `crnn export MODEL page.html` writes: the live page alone.

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
