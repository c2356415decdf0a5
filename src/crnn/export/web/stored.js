"use strict";

// A model in an exported file: its data, and its numbers in base64, which are read in the order of the data.

class StoredNumbers {
  constructor(base64) {
    const characters = atob(base64.trim());
    this.bytes = new Uint8Array(characters.length);
    for (let i = 0; i < this.bytes.length; i++) this.bytes[i] = characters.charCodeAt(i);
    this.used = 0;
  }

  // The next bytes, copied so that they are aligned for any number type.
  take(count) {
    return this.bytes.slice(this.used, (this.used += count)).buffer;
  }
}

// How each kind of model is made of its data and the stored numbers. Every model has a start(), which returns the state
// before a text; read(state, id), which changes the state; predict(state), which returns the logits of the next symbol,
// in an array that the next call reuses; and copy(state).
const KINDS = new Map();

// `members` are the earlier members of the same mixture, if any.
function createModel(model, stored, members = []) {
  return KINDS.get(model.kind)(model, stored, members);
}
