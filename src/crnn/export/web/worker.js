// How a page reaches its engine.

// Send requests to the engine, in a worker if possible. `receive` gets the answers.
function startEngine(receive) {
  const requests = []; // sent before the first answer; the page handles these if the worker fails
  let answered = false;
  let pass = null;
  const workHere = () => {
    answered = true;
    const engine = new Engine((answer) => queueMicrotask(() => receive(answer))); // never before the request returns
    pass = (request) => engine.handle(request);
    requests.forEach(pass);
  };
  const url = URL.createObjectURL(new Blob([byId("engine").textContent], { type: "text/javascript" }));
  try {
    const worker = new Worker(url);
    worker.onmessage = (event) => {
      answered = true;
      receive(event.data);
    };
    worker.onerror = () => {
      if (!answered) workHere();
    };
    pass = (request) => worker.postMessage(request);
  } catch {
    workHere();
  }
  return (request) => {
    if (!answered) requests.push(request);
    pass(request);
  };
}
